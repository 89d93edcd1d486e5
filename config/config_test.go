package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/chaperone-audit/chaperone/config"
)

// MustWrite writes a file into a folder of the test.
func MustWrite(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads a file with that text, an environment and flags.
func load(t testing.TB, file string, env []string, set ...string) (config.Config, []string, error) {
	t.Helper()
	s := config.Sources{Env: env, Set: set}
	if file != "" {
		s.File = MustWrite(t, "chaperone.yml", file)
	}
	return config.Load(s)
}

func mustLoad(t testing.TB, file string, env []string, set ...string) config.Config {
	t.Helper()
	c, _, err := load(t, file, env, set...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problems gives what is wrong, a line each.
func problems(t testing.TB, err error) string {
	t.Helper()
	var invalid *config.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("want a *config.Invalid, got %v", err)
	}
	var lines []string
	for _, p := range invalid.Problems {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func TestDefaults(t *testing.T) {
	t.Run("are valid", func(t *testing.T) {
		if c := config.Default(); c.Validate() != nil {
			t.Error(c.Validate())
		}
	})
	t.Run("are what nothing gives", func(t *testing.T) {
		for _, file := range []string{"", "# nothing\n", "audit:\n", "---\n"} {
			if got := mustLoad(t, file, nil); !reflect.DeepEqual(got, config.Default()) {
				t.Errorf("%q gives %+v", file, got)
			}
		}
	})
	t.Run("are what the annotated file says", func(t *testing.T) {
		if got := mustLoad(t, config.Annotated, nil); !reflect.DeepEqual(got, config.Default()) {
			t.Errorf("the file says\n%+v\nDefault is\n%+v", got, config.Default())
		}
	})
}

func TestAnnotatedFileHasEveryKeyWithAComment(t *testing.T) {
	// The example of a rule is in a comment, since there is none by default.
	text := config.Annotated
	for _, list := range []struct{ indent, name string }{{"", "codecs"}, {"", "schema_registries"}, {"", "pipelines"}, {"    ", "renames"},
		{"  ", "classes"}, {"  ", "rules"}, {"  ", "mutes"}, {"  ", "notifiers"}} {
		text = strings.ReplaceAll(text, "\n"+list.indent+list.name+": []\n", "\n")
		text = strings.ReplaceAll(text, "\n"+list.indent+"# "+list.name+":", "\n"+list.indent+list.name+":")
		text = strings.ReplaceAll(text, "\n"+list.indent+"#   ", "\n"+list.indent+"  ")
	}
	var file map[string]any
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	var check func(path string, typ reflect.Type, value any)
	check = func(path string, typ reflect.Type, value any) {
		if typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Struct {
			list, _ := value.([]any)
			if len(list) != 1 {
				t.Errorf("%s: want one example, got %v", path, value)
				return
			}
			typ, value = typ.Elem(), list[0]
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		section, _ := value.(map[string]any)
		var fields func(reflect.Type)
		fields = func(typ reflect.Type) {
			for i := range typ.NumField() {
				f := typ.Field(i)
				key, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				if option == "inline" {
					fields(f.Type)
					continue
				}
				v, ok := section[key]
				if !ok {
					t.Errorf("%s.%s is not in chaperone.yml", path, key)
					continue
				}
				check(path+"."+key, f.Type, v)
			}
		}
		fields(typ)
	}
	check("", reflect.TypeFor[config.Config](), file)
}

func TestLaterSourcesGoFirst(t *testing.T) {
	file := "http: {addr: 'file:1'}\naudit:\n  shards: 2\n  partitions: 3\nwindows:\n  size: 1m\n"
	env := []string{"CHAPERONE_AUDIT_PARTITIONS=4", "CHAPERONE_WINDOWS_SIZE=2m", "PATH=/bin"}
	c := mustLoad(t, file, env, "windows.size=3m")
	got := fmt.Sprintln(c.HTTP.Addr, c.Audit.Shards, c.Audit.Partitions, c.Windows.Size, c.Audit.Prefix)
	if want := "file:1 2 4 3m0s chaperone\n"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestEveryFormOfAValue(t *testing.T) {
	for _, c := range []struct {
		outcome, file string
		env           []string
		set           []string
		look          func(config.Config) any
		want          any
	}{
		{outcome: "days are durations", file: "store: {ttl: 90d}", look: func(c config.Config) any { return c.Store.TTL.String() }, want: "2160h0m0s"},
		{outcome: "amounts have units", env: []string{"CHAPERONE_MEMORY_LIMIT=1GiB"}, look: func(c config.Config) any { return c.Memory.Limit }, want: config.Bytes(1 << 30)},
		{outcome: "a version keeps its zeros", file: "clusters: [{name: a, tier: t, version: 3.10}]",
			look: func(c config.Config) any { return c.Clusters[0].Version }, want: "3.10"},
		{outcome: "a list replaces the one before", file: "topics:\n  exclude: [a]\n",
			look: func(c config.Config) any { return c.Topics.Exclude }, want: []string{"a"}},
		{outcome: "a list can be emptied", file: "topics: {exclude: []}",
			look: func(c config.Config) any { return c.Topics.Exclude }, want: []string(nil)},
		{outcome: "a list in the environment has commas", env: []string{"CHAPERONE_AUDIT_BROKERS=a:1, b:2"},
			look: func(c config.Config) any { return c.Audit.Brokers }, want: []string{"a:1", "b:2"}},
		{outcome: "or is YAML", set: []string{`topics.include=["a{1,2}", b]`},
			look: func(c config.Config) any { return c.Topics.Include }, want: []string{"a{1,2}", "b"}},
		{outcome: "an element is set in the environment", env: []string{"CHAPERONE_CLUSTERS_0_DATACENTER=dc1"},
			look: func(c config.Config) any { return c.Clusters[0].Name + c.Clusters[0].Datacenter }, want: "localdc1"},
		{outcome: "and by a flag, in two spellings", set: []string{"clusters[0].tier=x", "clusters.0.name=y"},
			look: func(c config.Config) any { return c.Clusters[0].Tier + c.Clusters[0].Name }, want: "xy"},
		{outcome: "a list of sections is YAML", env: []string{"CHAPERONE_CLUSTERS=[{name: a, tier: x}]", "CHAPERONE_CLUSTERS_0_DATACENTER=d"},
			look: func(c config.Config) any {
				return fmt.Sprint(len(c.Clusters), c.Clusters[0].Name, c.Clusters[0].Datacenter)
			}, want: "1ad"},
		{outcome: "the element behind the last is a new one", set: []string{"clusters.1.name=b", "clusters.1.tier=t", "clusters.1.brokers=b:1"},
			look: func(c config.Config) any { return len(c.Clusters) }, want: 2},
		{outcome: "anchors and merges save typing",
			file: "clusters:\n- &a {name: a, tier: t, brokers: ['h:1'], datacenter: &d dc}\n- {<<: *a, name: b}\n- {name: *d, tier: t, brokers: ['h:1']}\n",
			look: func(c config.Config) any { return c.Clusters[1].Name + c.Clusters[1].Datacenter + c.Clusters[2].Name }, want: "bdcdc"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			got := c.look(mustLoad(t, c.file, c.env, c.set...))
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %#v, want %#v", got, c.want)
			}
		})
	}
}

func TestOthersVariablesAreIgnoredAndNamed(t *testing.T) {
	_, ignored, err := load(t, "", []string{"CHAPERONE_PORT_9000_TCP=x", "CHAPERONE_LOG_LEVEL=debug", "CHAPERONE_AUDIT=x", "CHAPERONE_CLUSTERS_X_NAME=y"})
	if err != nil || fmt.Sprint(ignored) != "[CHAPERONE_AUDIT CHAPERONE_CLUSTERS_X_NAME CHAPERONE_PORT_9000_TCP]" {
		t.Errorf("ignored %v, error %v", ignored, err)
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	const password = "tomato"
	c := mustLoad(t, "http: {token: tomato}\nstore: {dsn: 'clickhouse://u:tomato@h:9000/d?secure=true&access_token=tomato'}\n"+
		"schema_registries:\n- {name: a, urls: ['https://u:tomato@h'], token: ''}\n- {name: b, urls: ['https://h'], user: u, password: tomato}\n- {name: c, urls: ['https://h'], token: tomato}\n", nil,
		"clusters.0.sasl.mechanism=PLAIN", "clusters.0.sasl.user=u", "clusters.0.sasl.password="+password)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("config", "c", c, "p", c.Clusters[0].SASL.Password, "dsn", c.Store.DSN)
	inJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	inYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	all := fmt.Sprintf("%v %+v %#v %s %x %q", c, c, c, c.Clusters[0].SASL.Password, c.Clusters[0].SASL.Password, c.Store.DSN) +
		logged.String() + string(inJSON) + string(inYAML)
	if strings.Contains(all, password) || strings.Contains(all, fmt.Sprintf("%x", password)) {
		t.Errorf("a password shows in %s", all)
	}
	if !strings.Contains(all, "***") || !strings.Contains(all, "clickhouse://u:xxx@h:9000/d?secure=true&access_token=xxx") {
		t.Errorf("nothing shows that there is one: %s", all)
	}
	if string(c.Clusters[0].SASL.Password) != password {
		t.Error("the password is lost")
	}
}

func TestATokenIsGivenOrInAFile(t *testing.T) {
	file := MustWrite(t, "token", "tomato\n")
	for _, set := range []string{"http.token=tomato", "http.token_file=" + file} {
		if got, err := mustLoad(t, "", nil, set).HTTP.Bearer(); got != "tomato" || err != nil {
			t.Errorf("%s: %q, %v", set, got, err)
		}
	}
	if got, err := config.Default().HTTP.Bearer(); got != "" || err != nil {
		t.Errorf("by default: %q, %v", got, err)
	}
}

func TestTopicsMatchByTheirWholeName(t *testing.T) {
	c := mustLoad(t, "topics:\n  include: ['orders|pay.*', 'dc1[.].*']\n  exclude: ['payroll']\n", nil)
	audited, err := c.Topics.Matcher()
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]bool{
		"orders": true, "orders2": false, "my-orders": false, "payments": true, "payroll": false, "payroll2": true, "dc1.x": true,
	} {
		if audited(topic) != want {
			t.Errorf("%s: audited %t, want %t", topic, !want, want)
		}
	}
	c = config.Default()
	audited, _ = c.Topics.Matcher()
	for _, topic := range []string{"__consumer_offsets", "heartbeats", "a.checkpoints.internal"} {
		if audited(topic) {
			t.Errorf("%s is audited by default", topic)
		}
	}
}

func TestTopicsAreRenamedByTheFirstRuleThatMatches(t *testing.T) {
	c := mustLoad(t, `
clusters:
- name: aggregate
  tier: aggregate
  renames:
  - {match: 'west[.]internal[.](.+)', to: 'west-$1'}
  - {match: '(west|east)[.](.+)', to: $2}
  - {match: '(?P<name>.+)-v\d+', to: '${name}'}
  - {match: 'a(b)?', to: $1}
`, nil)
	logical, err := c.Clusters[0].Renamer()
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]string{
		"west.orders": "orders", "east.orders": "orders", "orders": "orders", "north.orders": "north.orders", "west.": "west.",
		"west.east.orders": "east.orders", "west.internal.x": "west-x", "my.west.orders": "my.west.orders", "clicks-v2": "clicks",
		"ab": "b", "a": "a", // rather than nothing
	} {
		if got := logical(topic); got != want {
			t.Errorf("%s is called %s, want %s", topic, got, want)
		}
	}
	if logical, err = (&config.Cluster{}).Renamer(); err != nil || logical("west.orders") != "west.orders" {
		t.Error("renamed without a rule", err)
	}
}

func TestAuditClusterIsTheFirstUnlessGiven(t *testing.T) {
	c := mustLoad(t, "clusters: [{name: a, tier: t, brokers: ['a:1'], version: 3.0.0}]\naudit: {session_timeout: 20s}\n", nil)
	if a := c.AuditCluster(); a.Brokers[0] != "a:1" || a.Version != "3.0.0" || a.SessionTimeout.String() != "20s" {
		t.Errorf("got %+v", a)
	}
	c.Audit.Brokers = []string{"b:1"}
	if a := c.AuditCluster(); a.Brokers[0] != "b:1" || a.Version != "" {
		t.Errorf("got %+v", a)
	}
}

func TestBrokersAreThoseOfTheOneCluster(t *testing.T) {
	with := func(file string) (config.Config, error) {
		s := config.Sources{Brokers: []string{"new:1"}}
		if file != "" {
			s.File = MustWrite(t, "chaperone.yml", file)
		}
		c, _, err := config.Load(s)
		return c, err
	}
	t.Run("and of the audit cluster, which follows it", func(t *testing.T) {
		c, err := with("clusters: [{name: a, tier: t, brokers: ['old:1'], version: 3.6.0}]\n")
		if a := c.AuditCluster(); err != nil || c.Clusters[0].Brokers[0] != "new:1" || a.Brokers[0] != "new:1" || a.Version != "3.6.0" {
			t.Errorf("got %+v, %v", c, err)
		}
	})
	t.Run("also if that had its own", func(t *testing.T) {
		c, err := with("audit: {brokers: ['old:1']}\n")
		if err != nil || c.EmbeddedKafka() || c.Audit.Brokers[0] != "new:1" {
			t.Errorf("got %+v, %v", c, err)
		}
	})
	t.Run("with two clusters it is not known of which", func(t *testing.T) {
		_, err := with("clusters:\n- {name: a, tier: t, brokers: ['a:1']}\n- {name: b, tier: t, brokers: ['b:1']}\n")
		want := "clusters: --brokers sets those of one cluster, but there are 2; use --set clusters[0].brokers=... for the first (flag)"
		if got := problems(t, err); got != want {
			t.Errorf("got %s", got)
		}
	})
}

func FuzzLoad(f *testing.F) {
	f.Add(config.Annotated, "topics.include", "[a]")
	f.Add("a: &a [*a]", "clusters[0].name", "x")
	f.Add("clusters: [{<<: *x}]", "codecs.0", "{}")
	f.Add("clusters: &x [{<<: *x}]", "..", "")
	f.Fuzz(func(t *testing.T, file, key, value string) {
		c, _, err := load(t, file+"\n", nil, key+"="+value)
		if err == nil && c.Validate() != nil {
			t.Error("loaded what is not valid:", c.Validate())
		}
	})
}
