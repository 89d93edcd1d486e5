package config_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/config"
)

// Files and all that is to be said of them.
func TestEverythingWrongIsToldAtOnce(t *testing.T) {
	for _, c := range []struct {
		outcome, file, want string
		set                 []string
	}{
		{outcome: "unknown keys with their lines", file: "windos: {}\naudit:\n  shard: 3\nclusters:\n  - name: a\n    tier: t\n    sasl: {pasword: x}\n", want: `
windos: is no key; known are clusters, audit, topics, codecs, schema_registries, windows, count, collect, pipelines, alerts, views, store, memory, http, embedded, log (line 1)
audit.shard: is no key; known are brokers, version, tls, sasl, prefix, shards, partitions, retention, replicas, session_timeout, instance_id (line 3)
clusters[0].sasl.pasword: is no key; known are mechanism, user, password, password_file (line 7)`},
		{outcome: "values of the wrong form", file: "count:\n  flush: 3\n  rows_per_second: many\nwindows: {size: [1m]}\nclusters: {name: a}\naudit: yes\ntopics:\n  include: orders\n", want: `
count.flush: "3" must be a duration with units, such as 30s, 10m, 1h30m or 7d (line 2)
count.rows_per_second: "many" must be a whole number (line 3)
windows.size: must be a single value (line 4)
clusters: must be a list (line 5)
audit: must be a section with the keys brokers, version, tls, sasl, prefix, shards, partitions, retention, replicas, session_timeout, instance_id (line 6)
topics.include: must be a list (line 8)`},
		{outcome: "bounds, with the value and where it was set", file: "windows:\n  size: 7m\nstore:\n  batch_rows: 0\n", set: []string{"count.flush=1ms", "count.reader=franz", "audit.shards=0", "views.detail=72h"}, want: `
audit.shards: 0 must be at least 1 and at most 10000 (flag)
windows.size: 7m0s does not divide a day into whole seconds; use for example 1m, 10m or 1h (line 2)
count.reader: "franz" must be sarama or in_place (flag)
count.flush: 1ms must be at least 10ms and at most 1m0s (flag)
views.detail: 72h0m0s must be at most collect.horizon, 48h0m0s: older windows are not there to be shown (flag)
store.batch_rows: 0 must be at least 1 and at most 10000000 (line 4)`},
		{outcome: "clusters", file: "clusters:\n- name: a b\n  tier: t\n- {name: c, tier: t}\n- name: c\n  brokers: [nohost]\n  version: x\n", want: `
clusters[0].name: "a b" must be letters, digits, '.', '_' and '-' (line 2)
clusters[1].brokers: is empty, which means the embedded broker; only one cluster can be that (line 4)
clusters[2].name: "c" is the name of another cluster too (line 5)
clusters[2].tier: "" must be letters, digits, '.', '_' and '-' (line 5)
clusters[2].brokers[0]: "nohost" must be host:port (line 6)
clusters[2].version: "x" must be a version of Kafka, such as 3.6.0 (line 7)`},
		{outcome: "renames", file: "clusters:\n- name: a\n  tier: t\n  renames:\n  - {match: '(', to: ''}\n  - {to: $1}\n  - match: (a)(?P<b>c)\n    to: x/$1-$b-$2_old\n  - {match: (a), to: '${2}'}\n", want: `
clusters[0].renames[0].match: "(" is not a regular expression: error parsing regexp: missing closing ): ` + "`(`" + ` (line 5)
clusters[0].renames[0].to: is empty; give the name, such as $2 for what the second group has matched (line 5)
clusters[0].renames[1].match: is empty; give a pattern, such as (west|east)[.](.+) (line 6)
clusters[0].renames[1].to: "$1" names the group "1", which match does not have; write ${1} where letters, digits or _ follow (line 6)
clusters[0].renames[2].to: "x/$1-$b-$2_old" must be letters, digits, '.', '_', '-' and groups such as $1 or ${1} (line 8)
clusters[0].renames[2].to: "x/$1-$b-$2_old" names the group "2_old", which match does not have; write ${1} where letters, digits or _ follow (line 8)
clusters[0].renames[3].to: "${2}" names the group "2", which match does not have; write ${1} where letters, digits or _ follow (line 9)`},
		{outcome: "security", file: "clusters:\n- name: a\n  tier: t\n  tls: {ca: /x}\n  sasl:\n    user: u\n- name: b\n  tier: t\n  brokers: ['b:1']\n  tls:\n    enabled: true\n    ca: /does/not/exist\n  sasl:\n    mechanism: plain\n    password: tomato\n    password_file: /does/not/exist\n", want: `
clusters[0].tls.enabled: is false although other keys of tls are set (line 4)
clusters[0].sasl.mechanism: is empty although other keys of sasl are set; use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (line 6)
clusters[1].tls.ca: open /does/not/exist: no such file or directory (line 12)
clusters[1].sasl.mechanism: "plain" must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 (line 14)
clusters[1].sasl.user: is empty (line 14)
clusters[1].sasl.password: is given, and password_file too; leave one out (line 15)`},
		{outcome: "security of an audit cluster that is the first one", file: "audit:\n  version: 3.0.0\n", want: `
audit.brokers: is empty, so that version, tls and sasl of the first cluster hold; give brokers to set others (line 2)`},
		{outcome: "codecs by their rule", file: "codecs:\n- topics: 'a('\n  codec: xml\n- topics: b\n  codec: json\n  unit: h\n", want: `
codecs[0].topics: "a(" is not a regular expression: error parsing regexp: missing closing ): ` + "`a(`" + ` (line 2)
codecs[0].codec: "xml" is not a codec; use append_time or avro or cbor or cloudevents or create_time or header or json or key or msgpack or protobuf or record (line 3)
codecs[1].unit: "h" is not a unit; use s, ms, us or ns, or leave it out to tell them apart by magnitude (line 6)`},
		{outcome: "topics", file: "topics:\n  include: ['[']\n  start: yesterday\n", want: `
topics.include[0]: "[" is not a regular expression: error parsing regexp: missing closing ]: ` + "`[`" + ` (line 2)
topics.start: "yesterday" must be earliest, latest or a time such as 2026-01-31T00:00:00Z (line 3)`},
		{outcome: "stores, without the password", file: "store:\n  dsn: postgres://u:tomato@h/d\n", set: []string{"store.database=a-b"}, want: `
store.dsn: begins with postgres://; use one of clickhouse, tcp, http, https (line 2)
store.database: "a-b" must be letters, digits and _, and begin with no digit (flag)`},
		{outcome: "an address of a store that is none, without the password", set: []string{"store.dsn=clickhouse://u:tomato@h:x", "store.kind=disk"}, want: `
store.kind: "disk" must be clickhouse or memory (flag)
store.dsn: must be an address such as clickhouse://user:password@host:9000 (flag)`},
		{outcome: "a memory that does not suffice", file: "memory: {limit: 100MiB}\n", want: `
memory.limit: 100MiB must be at least 128MiB, or empty for what the machine allows: less does not hold what an instance needs without a single topic (line 1)`},
		{outcome: "a memory without a unit", set: []string{"memory.limit=512"}, want: `
memory.limit: "512" must be an amount with its unit, such as 512MiB or 2GB (flag)`},
		{outcome: "embedded parts that the network could reach", set: []string{"embedded.kafka_addr=0.0.0.0:9092", "http.addr=9000"}, want: `
http.addr: "9000" must be host:port (flag)
embedded.kafka_addr: "0.0.0.0:9092" must be on this machine, such as 127.0.0.1: there is no login (flag)`},
		{outcome: "bodies and tokens, without the token", file: "http:\n  max_body: 1MiB\n  token: tomato\n  token_file: /does/not/exist\n", want: `
http.max_body: 1MiB must be at least 3MiB and at most 1GiB (line 2)
http.token: is given, and token_file too; leave one out (line 3)`},
		{outcome: "a token that fits no header, without it", set: []string{"http.token=a tomato", "http.max_body=2GiB"}, want: `
http.max_body: 2GiB must be at least 3MiB and at most 1GiB (flag)
http.token: must be printable ASCII without spaces, as it goes into a header (flag)`},
		{outcome: "a file with a token that is not there", file: "http: {token_file: /does/not/exist}\n", want: `
http.token_file: open /does/not/exist: no such file or directory (line 1)`},
		{outcome: "flags that name no key", set: []string{"windows", "windows.sized=1m", "windows=1m", "clusters.7.name=x", "log.level.x=1"}, want: `
"windows" must be key=value, such as windows.size=1m (flag)
windows.sized: is no key; known are size, past, future (flag)
windows: is a section; set one of its keys: size, past, future (flag)
clusters: there are 1; "7" is none of them, nor the next (flag)
log.level.x: is no key; log.level is a value (flag)`},
		{outcome: "what is no YAML", file: "audit: [\n", want: `
not YAML: sequence end token ']' not found (line 1)`},
		{outcome: "a key twice", file: "log:\n  level: info\n  level: debug\n", want: `
not YAML: mapping key "level" already defined at [2:3] (line 3)`},
		{outcome: "an alias of nothing", file: "log: {level: *x}\n", want: `
log.level: there is no anchor x (line 1)`},
		{outcome: "an alias of itself", file: "clusters: &x\n- <<: *x\n", want: `
clusters[0]: must be a section with the keys name, tier, datacenter, rack, renames, brokers, version, tls, sasl (line 2)
clusters[0].name: "" must be letters, digits, '.', '_' and '-' (line 2)
clusters[0].tier: "" must be letters, digits, '.', '_' and '-' (line 2)`},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			_, _, err := load(t, c.file, nil, c.set...)
			if got := problems(t, err); got != strings.TrimPrefix(c.want, "\n") {
				t.Errorf("got\n%s\nwant%s", got, c.want)
			}
			if strings.Contains(err.Error(), "tomato") {
				t.Error("the password shows")
			}
		})
	}
}

func TestAFileThatCannotBeReadIsAnError(t *testing.T) {
	_, _, err := config.Load(config.Sources{File: "/does/not/exist.yml"})
	if err == nil || !strings.Contains(err.Error(), "/does/not/exist.yml") {
		t.Errorf("got %v", err)
	}
}

func TestPipelinesThatCannotBeMeantAreToldAllAtOnce(t *testing.T) {
	_, _, err := config.Load(config.Sources{Set: []string{`pipelines=[
		{name: a b, topics: ["("], tiers: [x, x], bypassed: [z], grace: 1ms},
		{name: empty, expected: [{from: x, to: y, allow: [late]}]}]`}})
	text := fmt.Sprint(err)
	for _, want := range []string{
		"pipelines[0].name: \"a b\"", "pipelines[0].topics[0]: \"(\" is not a regular expression", "pipelines[0].tiers[1]: \"x\" is there twice",
		"pipelines[0].bypassed[0]: \"z\" is none of the pipeline's tiers", "pipelines[0].grace: 1ms must be at least 1s",
		"pipelines[1].tiers: is empty", "pipelines[1].expected[0].from", "pipelines[1].expected[0].allow[0]: \"late\" must be missing", "pipelines[1].expected[0].because: is empty",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("not told: %s\nin %s", want, text)
		}
	}
}
