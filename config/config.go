package config

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A Config is all that can be set. Every field has a key in chaperone.yml, where
// it is explained. Copies share slices.
type Config struct {
	Clusters         []Cluster  `yaml:"clusters"`
	Audit            Audit      `yaml:"audit"`
	Topics           Topics     `yaml:"topics"`
	Codecs           []Codec    `yaml:"codecs"`
	SchemaRegistries []Registry `yaml:"schema_registries"`
	Windows          Windows    `yaml:"windows"`
	Count            Count      `yaml:"count"`
	Collect          Collect    `yaml:"collect"`
	Pipelines        []Pipeline `yaml:"pipelines"`
	Alerts           Alerts     `yaml:"alerts"`
	Views            Views      `yaml:"views"`
	Store            Store      `yaml:"store"`
	Memory           Budget     `yaml:"memory"`
	HTTP             HTTP       `yaml:"http"`
	Embedded         Embedded   `yaml:"embedded"`
	Log              Log        `yaml:"log"`
}

// A Cluster is a Kafka cluster whose topics are audited. Without Brokers it is
// the embedded broker.
type Cluster struct {
	Name       string   `yaml:"name"`
	Tier       string   `yaml:"tier"`
	Datacenter string   `yaml:"datacenter"`
	Rack       string   `yaml:"rack"`
	Renames    []Rename `yaml:"renames"`
	Kafka      `yaml:",inline"`
}

// A Rename gives topics of a cluster the name that they have elsewhere: see
// Cluster.Renamer.
type Rename struct {
	Match string `yaml:"match"`
	To    string `yaml:"to"`
}

// Audit is the cluster that holds chaperone's own topics, and these topics.
// Without Brokers it is the first of the audited clusters: see Config.AuditCluster.
type Audit struct {
	Kafka          `yaml:",inline"`
	Prefix         string        `yaml:"prefix"`
	Shards         int32         `yaml:"shards"`
	Partitions     int32         `yaml:"partitions"`
	Retention      time.Duration `yaml:"retention"`
	Replicas       int16         `yaml:"replicas"`
	SessionTimeout time.Duration `yaml:"session_timeout"`
	InstanceID     string        `yaml:"instance_id"`
}

// Topics says what is audited.
type Topics struct {
	Include []string      `yaml:"include"`
	Exclude []string      `yaml:"exclude"`
	Poll    time.Duration `yaml:"poll"`
	Start   Start         `yaml:"start"`
}

// A Codec says how the event time of some topics is read: see codecs.Rule.
type Codec struct {
	Topics   string        `yaml:"topics"`
	Codec    Names         `yaml:"codec"`
	From     Moment        `yaml:"from"`
	Fields   []string      `yaml:"fields"`
	AnyCase  bool          `yaml:"any_case"`
	Headers  []string      `yaml:"headers"`
	Unit     string        `yaml:"unit"`
	Layouts  []string      `yaml:"layouts"`
	Zone     string        `yaml:"zone"`
	Strict   bool          `yaml:"strict"`
	Framing  string        `yaml:"framing"`
	Registry string        `yaml:"registry"`
	Schemas  []string      `yaml:"schemas"`
	Message  string        `yaml:"message"`
	Settings []string      `yaml:"settings"`
	Past     time.Duration `yaml:"past"`
	Future   time.Duration `yaml:"future"`
}

// Names are a list in which one name may stand by itself.
type Names []string

// A Moment is an RFC 3339 time, or empty.
type Moment string

// Time is the moment, the zero time if there is none.
func (m Moment) Time() (time.Time, error) {
	if m == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339, string(m))
	if err != nil {
		return time.Time{}, fmt.Errorf("%q must be a time such as 2026-01-31T00:00:00Z", string(m))
	}
	return t, nil
}

// Windows says how event time is cut. Past and Future are the bounds of topics
// whose codec sets no others: see codecs.Bounds.
type Windows struct {
	Size   time.Duration `yaml:"size"`
	Past   time.Duration `yaml:"past"`
	Future time.Duration `yaml:"future"`
}

// Count is about the counting processor.
type Count struct {
	Reader            string        `yaml:"reader"`
	Flush             time.Duration `yaml:"flush"`
	RowsPerSecond     int           `yaml:"rows_per_second"`
	WindowsPerSegment int           `yaml:"windows_per_segment"`
	MaxPending        int           `yaml:"max_pending"`
	Progress          time.Duration `yaml:"progress"`
	DisplayGroup      string        `yaml:"display_group"`
}

// Readers of topics.
const (
	Sarama  = "sarama"
	InPlace = "in_place"
)

// Collect is about the collecting processor.
type Collect struct {
	Horizon time.Duration `yaml:"horizon"`
}

// Views is about what is answered from memory.
type Views struct {
	Detail time.Duration `yaml:"detail"`
}

// Store is where records are kept for good. A ClickHouse without DSN is the
// embedded one.
type Store struct {
	Kind      string        `yaml:"kind"`
	DSN       DSN           `yaml:"dsn"`
	Database  string        `yaml:"database"`
	TTL       time.Duration `yaml:"ttl"`
	BatchRows int           `yaml:"batch_rows"`
	BatchAge  time.Duration `yaml:"batch_age"`
	Timeout   time.Duration `yaml:"timeout"`
}

// Kinds of stores.
const (
	ClickHouse = "clickhouse"
	Memory     = "memory"
)

// A Budget is what an instance may take.
type Budget struct {
	Limit Bytes `yaml:"limit"`
}

// LeastMemory is the lowest limit: below it the smallest bounds that the parts can
// work with do not fit, with one cluster and hardly a topic.
const LeastMemory Bytes = 128 << 20

// HTTP is about REST. The token is asked of those who write records: see Bearer.
type HTTP struct {
	Addr      string `yaml:"addr"`
	MaxBody   Bytes  `yaml:"max_body"`
	Token     Secret `yaml:"token"`
	TokenFile string `yaml:"token_file"`
}

// Bearer gives the token, from its file if there is one; empty for none.
func (h HTTP) Bearer() (string, error) {
	token, err := secret("http.token", h.Token, h.TokenFile)
	if err == nil && !bearer.MatchString(token) {
		err = errors.New("http.token: must be printable ASCII without spaces, as it goes into a header")
	}
	return token, err
}

var bearer = regexp.MustCompile(`^[!-~]*$`)

// Bounds of http.max_body. What applications report at a time fits into the least.
const (
	LeastBody Bytes = 3 << 20
	MostBody  Bytes = 1 << 30
)

// Embedded is about the broker and the ClickHouse that standalone brings along.
type Embedded struct {
	Dir            string `yaml:"dir"`
	KafkaAddr      string `yaml:"kafka_addr"`
	ClickHouseAddr string `yaml:"clickhouse_addr"`
	Library        string `yaml:"library"`
}

// Log is about the log, which goes to standard error.
type Log struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// AuditCluster is the audit section with its connection: its own, or that of the
// first cluster. Its Brokers are empty if that is the embedded broker.
func (c *Config) AuditCluster() Audit {
	a := c.Audit
	if len(a.Brokers) == 0 && len(c.Clusters) > 0 {
		a.Kafka = c.Clusters[0].Kafka
	}
	return a
}

// EmbeddedKafka says whether a cluster is the embedded broker, and
// EmbeddedClickHouse whether the store is the embedded one. Only standalone has them.
func (c *Config) EmbeddedKafka() bool {
	for _, cluster := range c.Clusters {
		if len(cluster.Brokers) == 0 {
			return true
		}
	}
	return false
}

func (c *Config) EmbeddedClickHouse() bool { return c.Store.Kind == ClickHouse && c.Store.DSN == "" }

// Rules are the codecs as package codecs has them. A from that is no time is left
// out; Load has said so.
func (c *Config) Rules() []codecs.Rule {
	rules := make([]codecs.Rule, len(c.Codecs))
	for i, r := range c.Codecs {
		from, _ := r.From.Time()
		rules[i] = codecs.Rule{
			Topics: r.Topics, Codecs: r.Codec, From: from, Fields: r.Fields, AnyCase: r.AnyCase, Headers: r.Headers, Unit: r.Unit,
			Layouts: r.Layouts, Zone: r.Zone, Strict: r.Strict, Framing: r.Framing, Registry: r.Registry, Schemas: r.Schemas,
			Message: r.Message, Settings: r.Settings, Past: r.Past, Future: r.Future,
		}
	}
	return rules
}

// Selector chooses the codec of each topic.
func (c *Config) Selector(builders codecs.Builders, env *codecs.Env) (*codecs.Selector, error) {
	return codecs.NewSelector(c.Rules(), builders, env, codecs.Bounds{Past: c.Windows.Past, Future: c.Windows.Future})
}
