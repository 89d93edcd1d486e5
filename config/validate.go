package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/all"
)

// Validate reports everything that is wrong, as an *Invalid. Load has done it.
func (c *Config) Validate() error {
	p := &problems{}
	c.check(p, all.Builders())
	if len(p.list) > 0 {
		return &Invalid{Problems: p.list}
	}
	return nil
}

func (c *Config) check(p *problems, builders codecs.Builders) {
	c.checkClusters(p)
	c.checkAudit(p)
	c.checkTopics(p)
	c.checkCodecs(p, builders)
	c.checkPipelines(p)
	c.checkAlerts(p)

	if err := audit.CheckWindowSize(c.Windows.Size); err != nil {
		p.add("windows.size", "", "%v", err)
	}
	p.oneOf("count.reader", c.Count.Reader, Sarama, InPlace)
	between(p, "count.flush", c.Count.Flush, 10*time.Millisecond, time.Minute)
	between(p, "count.rows_per_second", c.Count.RowsPerSecond, 1, 10_000_000)
	between(p, "count.windows_per_segment", c.Count.WindowsPerSegment, 1, 100_000)
	between(p, "count.max_pending", c.Count.MaxPending, 1, 10_000_000)
	between(p, "count.progress", c.Count.Progress, 100*time.Millisecond, time.Hour)
	if g := c.Count.DisplayGroup; g != "" {
		p.name("count.display_group", g)
	}
	const most = 10 * 365 * 24 * time.Hour
	between(p, "collect.horizon", c.Collect.Horizon, c.Windows.Size, most)
	between(p, "views.detail", c.Views.Detail, c.Windows.Size, most)
	if c.Views.Detail > c.Collect.Horizon {
		p.add("views.detail", "", "%s must be at most collect.horizon, %s: older windows are not there to be shown", c.Views.Detail, c.Collect.Horizon)
	}

	p.oneOf("store.kind", c.Store.Kind, ClickHouse, Memory)
	p.dsn(c.Store)
	if !identifier.MatchString(c.Store.Database) {
		p.add("store.database", "", "%q must be letters, digits and _, and begin with no digit", c.Store.Database)
	}
	between(p, "store.ttl", c.Store.TTL, time.Hour, most)
	between(p, "store.batch_rows", c.Store.BatchRows, 1, 10_000_000)
	between(p, "store.batch_age", c.Store.BatchAge, time.Millisecond, time.Hour)
	between(p, "store.timeout", c.Store.Timeout, 100*time.Millisecond, time.Hour)

	if l := c.Memory.Limit; l != 0 && l < LeastMemory {
		p.add("memory.limit", "", "%s must be at least %s, or empty for what the machine allows: less does not hold what an instance needs without a single topic", l, LeastMemory)
	}
	p.http(c.HTTP)
	if c.Embedded.Dir == "" {
		p.add("embedded.dir", "", "is empty; name a folder, such as chaperone-data")
	}
	p.loopback("embedded.kafka_addr", c.Embedded.KafkaAddr)
	p.loopback("embedded.clickhouse_addr", c.Embedded.ClickHouseAddr)
	p.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	p.oneOf("log.format", c.Log.Format, "text", "json")
}

func (c *Config) checkClusters(p *problems) {
	if len(c.Clusters) == 0 {
		p.add("clusters", "", "is empty; name at least one cluster to audit")
	}
	names, embedded := map[string]bool{}, false
	for i, cluster := range c.Clusters {
		key := func(k string) string { return fmt.Sprintf("clusters[%d].%s", i, k) }
		p.name(key("name"), cluster.Name)
		if names[cluster.Name] && cluster.Name != "" {
			p.add(key("name"), "", "%q is the name of another cluster too", cluster.Name)
		}
		names[cluster.Name] = true
		p.name(key("tier"), cluster.Tier)
		if cluster.Datacenter != "" {
			p.name(key("datacenter"), cluster.Datacenter)
		}
		if len(cluster.Brokers) == 0 {
			if embedded {
				p.add(key("brokers"), "", "is empty, which means the embedded broker; only one cluster can be that")
			}
			embedded = true
		}
		p.renames(fmt.Sprintf("clusters[%d]", i), cluster.Renames)
		p.kafka(fmt.Sprintf("clusters[%d]", i), cluster.Kafka)
	}
}

func (c *Config) checkAudit(p *problems) {
	a := c.Audit
	if len(a.Brokers) == 0 && (a.Version != "" || a.TLS != (TLS{}) || a.SASL != (SASL{})) {
		p.add("audit.brokers", "", "is empty, so that version, tls and sasl of the first cluster hold; give brokers to set others")
	}
	p.kafka("audit", a.Kafka)
	// The longest name made of it is PREFIX-collect-table.
	if p.name("audit.prefix", a.Prefix) && len(a.Prefix) > 200 {
		p.add("audit.prefix", "", "has %d characters; at most 200 leave room for what follows in names of topics", len(a.Prefix))
	}
	between(p, "audit.shards", a.Shards, 1, 10_000)
	between(p, "audit.partitions", a.Partitions, 1, 10_000)
	between(p, "audit.retention", a.Retention, time.Hour, 10*365*24*time.Hour)
	if a.Replicas != -1 && a.Replicas < 1 {
		p.add("audit.replicas", "", "%d must be at least 1, or -1 for the brokers' default", a.Replicas)
	}
	between(p, "audit.session_timeout", a.SessionTimeout, time.Second, 5*time.Minute)
	if a.InstanceID != "" {
		p.name("audit.instance_id", a.InstanceID)
	}
}

func (c *Config) checkTopics(p *problems) {
	if len(c.Topics.Include) == 0 {
		p.add("topics.include", "", "is empty; give patterns, .* for all topics")
	}
	p.patterns("topics.include", c.Topics.Include)
	p.patterns("topics.exclude", c.Topics.Exclude)
	between(p, "topics.poll", c.Topics.Poll, 100*time.Millisecond, time.Hour)
	if _, ok := c.Topics.Start.Time(); !ok && c.Topics.Start != Earliest && c.Topics.Start != Latest {
		p.add("topics.start", "", "%q must be earliest, latest or a time such as 2026-01-31T00:00:00Z", c.Topics.Start)
	}
}

func (c *Config) checkCodecs(p *problems, builders codecs.Builders) {
	needsInPlace := []string{codecs.CreateTimeCodec, codecs.AppendTimeCodec}
	for i, r := range c.Codecs {
		if _, err := r.From.Time(); err != nil {
			p.add(fmt.Sprintf("codecs[%d].from", i), "", "%v", err)
		}
		for _, name := range r.Codec {
			if slices.Contains(needsInPlace, name) && c.Count.Reader != InPlace {
				p.add(fmt.Sprintf("codecs[%d].codec", i), "", "%s needs count.reader: %s; with %s nobody knows who set the record timestamp", name, InPlace, c.Count.Reader)
			}
		}
	}
	_, err := c.Selector(builders, &codecs.Env{Registries: c.checkRegistries(p)})
	if err == nil {
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		rule, ok := errors.AsType[*codecs.Problem](err)
		switch {
		case !ok:
			p.add("codecs", "", "%v", err)
		case rule.Rule == codecs.DefaultBounds:
			p.add("windows."+rule.Key, "", "%v", rule.Err)
		default:
			p.add(fmt.Sprintf("codecs[%d].%s", rule.Rule, rule.Key), "", "%v", rule.Err)
		}
	}
}

func (p *problems) patterns(key string, patterns []string) {
	for i, pattern := range patterns {
		if _, err := regexp.Compile(pattern); err != nil {
			p.add(fmt.Sprintf("%s[%d]", key, i), "", "%q is not a regular expression: %v", pattern, err)
		}
	}
}

// kafka checks a connection, without connecting.
func (p *problems) kafka(path string, k Kafka) {
	for i, b := range k.Brokers {
		p.addr(fmt.Sprintf("%s.brokers[%d]", path, i), b)
	}
	if k.Version != "" {
		if v, err := parseVersion(k.Version); err != nil {
			p.add(path+".version", "", "%q must be a version of Kafka, such as 3.6.0", k.Version)
		} else if !v.IsAtLeast(sarama.V2_4_0_0) {
			p.add(path+".version", "", "%s must be at least 2.4.0", k.Version)
		}
	}
	p.tls(path, k.TLS)
	p.sasl(path+".sasl.", k.SASL)
}

func (p *problems) tls(path string, t TLS) {
	switch {
	case !t.Enabled && t != (TLS{}):
		p.add(path+".tls.enabled", "", "is false although other keys of tls are set")
	case (t.Cert == "") != (t.Key == ""):
		p.add(path+".tls.cert", "", "cert and key go together")
	default:
		if _, err := t.client(); err != nil {
			key, text, _ := strings.Cut(err.Error(), ": ")
			p.add(path+"."+key, "", "%s", text)
		}
	}
}

func (p *problems) sasl(path string, s SASL) {
	if s.Mechanism == "" {
		if s != (SASL{}) {
			p.add(path+"mechanism", "", "is empty although other keys of sasl are set; use %s, %s or %s", Plain, ScramSHA256, ScramSHA512)
		}
		return
	}
	p.oneOf(path+"mechanism", s.Mechanism, Plain, ScramSHA256, ScramSHA512)
	if s.User == "" {
		p.add(path+"user", "", "is empty")
	}
	if s.Password == "" && s.PasswordFile == "" {
		p.add(path+"password", "", "is empty; give it, or a password_file")
	} else if _, err := s.password(); err != nil {
		key, text, _ := strings.Cut(strings.TrimPrefix(err.Error(), "sasl."), ": ")
		p.add(path+key, "", "%s", text)
	}
}

func (p *problems) http(h HTTP) {
	p.addr("http.addr", h.Addr)
	if h.MaxBody < LeastBody || h.MaxBody > MostBody {
		p.add("http.max_body", "", "%s must be at least %s and at most %s", h.MaxBody, LeastBody, MostBody)
	}
	if _, err := h.Bearer(); err != nil {
		key, text, _ := strings.Cut(err.Error(), ": ")
		p.add(key, "", "%s", text)
	}
}

func (p *problems) dsn(s Store) {
	if s.DSN == "" {
		return
	}
	if s.Kind == Memory {
		p.add("store.dsn", "", "is given, but store.kind is memory; leave one out")
	}
	u, err := url.Parse(string(s.DSN))
	switch schemes := []string{"clickhouse", "tcp", "http", "https"}; {
	case err != nil || u.Host == "":
		// Not the error: it would quote the password.
		p.add("store.dsn", "", "must be an address such as clickhouse://user:password@host:9000")
	case !slices.Contains(schemes, u.Scheme):
		p.add("store.dsn", "", "begins with %s://; use one of %s", u.Scheme, strings.Join(schemes, ", "))
	}
}

var (
	nameChars  = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

func (p *problems) name(key, name string) bool {
	ok := nameChars.MatchString(name)
	if !ok {
		p.add(key, "", "%q must be letters, digits, '.', '_' and '-'", name)
	}
	return ok
}

func (p *problems) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		last := len(allowed) - 1
		p.add(key, "", "%q must be %s or %s", value, strings.Join(allowed[:last], ", "), allowed[last])
	}
}

func between[T int | int16 | int32 | time.Duration](p *problems, key string, value, least, most T) {
	if value < least || value > most {
		p.add(key, "", "%v must be at least %v and at most %v", value, least, most)
	}
}

func (p *problems) addr(key, addr string) (host string, ok bool) {
	host, port, err := net.SplitHostPort(addr)
	n, err2 := strconv.Atoi(port)
	if err != nil || err2 != nil || n < 0 || n > 65535 {
		p.add(key, "", "%q must be host:port", addr)
		return "", false
	}
	return host, true
}

func (p *problems) loopback(key, addr string) {
	host, ok := p.addr(key, addr)
	if ip := net.ParseIP(host); ok && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		p.add(key, "", "%q must be on this machine, such as 127.0.0.1: there is no login", addr)
	}
}
