// Package v1 is what the REST API says, as Go types: the server writes them, the
// client reads them, openapi.yaml describes them.
//
// Times are RFC 3339 in UTC. Fingerprint and power sums use all 64 bits, which
// JSON numbers do not have everywhere, and so are strings; all other numbers are
// numbers. A window is named by its start.
package v1

import "time"

// Topics answers GET /api/v1/topics.
type Topics struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Topics []Topic   `json:"topics"` // by name
}

// A Topic is what is known of a topic in the time asked for.
type Topic struct {
	Name     string    `json:"name"`
	Tiers    []string  `json:"tiers"`
	Clusters []string  `json:"clusters"`
	First    time.Time `json:"firstWindow"` // start of the oldest window in that time
	Last     time.Time `json:"lastWindow"`  // ... and of the newest
	Messages uint64    `json:"messages"`    // summed over all tiers
}

// Windows answers GET /api/v1/topics/{topic}/windows.
type Windows struct {
	Topic string    `json:"topic"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Rows  []Row     `json:"rows"` // by window, tier, datacenter, cluster, partition
}

// A Row is the tally of a window at a tier, summed over everything that was not
// asked to be told apart. Datacenter, Cluster, Partition and offsets are only
// there if it was.
type Row struct {
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Tier        string    `json:"tier"`
	Datacenter  string    `json:"datacenter,omitempty"`
	Cluster     string    `json:"cluster,omitempty"`
	Partition   *int32    `json:"partition,omitempty"`
	Count       uint64    `json:"count"`
	Bytes       uint64    `json:"bytes"`
	NoTime      uint64    `json:"noTime"`
	Malformed   uint64    `json:"malformed"`
	OutOfBounds uint64    `json:"outOfBounds"`
	Latency     Latency   `json:"latency"`
	// Arrival is the latency up to the moment at which the auditor read the message,
	// taken while it reads as fast as messages are written; nil where it was not.
	Arrival *Latency `json:"arrival,omitempty"`
	// Fingerprint and PowerSums (seven) are absent where records of the original
	// Chaperone, which have none, are part of the tally.
	Fingerprint string   `json:"fingerprint,omitempty"`
	PowerSums   []string `json:"powerSums,omitempty"`
	// MomentSums (seven) are power sums of hashes of key and event time alone: where
	// they are equal at two tiers and PowerSums are not, messages were altered. Absent
	// likewise, and where nobody has kept them.
	MomentSums  []string `json:"momentSums,omitempty"`
	FirstOffset *int64   `json:"firstOffset,omitempty"`
	LastOffset  *int64   `json:"lastOffset,omitempty"`
	Partial     bool     `json:"partial"`   // counting began in the middle of the window at some source
	Sources     int      `json:"sources"`   // partitions and application instances that the tally is from
	Originals   int      `json:"originals"` // records of the original Chaperone in the tally
}

// Latency is from event time to record timestamp, in milliseconds, or to what else is
// said; percentiles are off by at most 1 %. Without any latency the values are nil.
type Latency struct {
	Count       uint64   `json:"count"` // that are not negative
	Mean        *float64 `json:"mean"`
	P50         *float64 `json:"p50"`
	P95         *float64 `json:"p95"`
	P99         *float64 `json:"p99"`
	Max         *int64   `json:"max"`
	Negative    uint64   `json:"negative"`    // how many are: two clocks disagree
	NegativeMax int64    `json:"negativeMax"` // the largest magnitude among those
}

// Sources answers GET /api/v1/sources.
type Sources struct {
	Sources []Source `json:"sources"` // by topic, tier, cluster, partition
}

// A Source is a partition, who counts it and how far.
type Source struct {
	Topic         string     `json:"topic"`
	Physical      string     `json:"physicalTopic,omitempty"` // its name on the cluster, if it is renamed
	TopicID       string     `json:"topicId"`
	Cluster       string     `json:"cluster"`
	Tier          string     `json:"tier"`
	Datacenter    string     `json:"datacenter"`
	Partition     int32      `json:"partition"`
	Host          string     `json:"host"`  // of the instance that counts it
	Owner         string     `json:"owner"` // the session of that instance
	Generation    int64      `json:"generation"`
	Start         int64      `json:"startOffset"`             // where counting began
	Next          int64      `json:"nextOffset"`              // first that is not durably counted
	End           *int64     `json:"endOffset,omitempty"`     // of the log as far as readers see, if it is known
	HighWatermark *int64     `json:"highWatermark,omitempty"` // ... and with the transactions that are open
	Total         uint64     `json:"messages"`                // counted since the start
	CaughtUp      string     `json:"caughtUp"`                // yes, no or unknown
	LastTime      *time.Time `json:"lastRecordAt,omitempty"`  // record timestamp of the last message counted
	AsOf          time.Time  `json:"asOf"`                    // when that was said, by the audit cluster
}

// Instances answers GET /api/v1/instances.
type Instances struct {
	Instances []Instance `json:"instances"` // by topic, tier, datacenter and instance
}

// An Instance is a process that counts messages as they pass it. Its numbers are those
// of all windows, as of when it last spoke.
type Instance struct {
	Topic      string     `json:"topic"`
	Tier       string     `json:"tier"`
	Datacenter string     `json:"datacenter"`
	Instance   string     `json:"instance"`
	Host       string     `json:"host"`
	State      string     `json:"state"`               // running, ended (it said goodbye) or silent: what it counted since is unknown
	Started    *time.Time `json:"startedAt,omitempty"` // by its own clock
	AsOf       time.Time  `json:"asOf"`                // when it last spoke, by the audit cluster
	Attempts   uint64     `json:"attempts"`            // messages sent, or delivered
	Successes  uint64     `json:"successes"`           // acknowledged, or processed
	Failures   uint64     `json:"failures"`            // given up
	Uncounted  uint64     `json:"uncounted"`           // of all topics: passed, and in no record
	Windows    uint64     `json:"windows"`             // of which it has sent records, by segment
}

// Missed answers GET /api/v1/missed.
type Missed struct {
	Missed []MissedRange `json:"missed"` // by topic, tier, cluster, partition, offset
}

// A MissedRange is a range of offsets that nobody can count any more. At most as
// many messages are missed, unless the reason is truncated, recreated or damaged:
// then it says where, and nobody knows how many.
type MissedRange struct {
	Topic      string     `json:"topic"`
	TopicID    string     `json:"topicId"`
	Cluster    string     `json:"cluster"`
	Tier       string     `json:"tier"`
	Datacenter string     `json:"datacenter"`
	Partition  int32      `json:"partition"`
	From       int64      `json:"fromOffset"`
	To         int64      `json:"toOffset"` // not included
	Reason     string     `json:"reason"`
	Since      *time.Time `json:"since,omitempty"` // bounds of the event times that may be touched, if known
	Until      *time.Time `json:"until,omitempty"`
	AsOf       time.Time  `json:"asOf"` // when that was said, by the audit cluster
}

// Audited answers GET /topics, as in the original.
type Audited struct {
	Topics []string `json:"topics"` // by name
}

// Added answers POST /topics.
type Added struct {
	Topic    string   `json:"topic"`
	New      bool     `json:"new"`      // it had not been added before
	Clusters []string `json:"clusters"` // that have the topic now, as far as is known
	Message  string   `json:"message"`  // for people
}

// Health answers GET /health.
type Health struct {
	Status string       `json:"status"` // the worst of the parts: ok, degraded or down
	Parts  []HealthPart `json:"parts"`
}

// A HealthPart is a part of the program and how it is.
type HealthPart struct {
	Part   string    `json:"part"`
	State  string    `json:"state"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// Ready answers GET /ready.
type Ready struct {
	Ready bool `json:"ready"`
}

// Index answers GET /.
type Index struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	Links   map[string]string `json:"links"`
}

// Accepted answers POST /api/v1/audit: so many records are on the audit topic,
// acknowledged.
type Accepted struct {
	Accepted int `json:"accepted"`
}
