package v1

import "time"

// Completeness answers GET /api/v1/completeness.
type Completeness struct {
	From      time.Time           `json:"from"`
	To        time.Time           `json:"to"`
	Threshold float64             `json:"threshold"`      // share of what went in that has to have come out
	Complete  bool                `json:"complete"`       // all topics are, in all of that time, and there is one at least
	AsOf      *time.Time          `json:"asOf,omitempty"` // of the newest judgement among them, by the audit cluster
	Topics    []TopicCompleteness `json:"topics"`         // by name
}

// A TopicCompleteness says how far a topic is complete. Unknown is never complete.
type TopicCompleteness struct {
	Topic    string `json:"topic"`
	Pipeline string `json:"pipeline"` // empty: it is in none
	// From is where the answer begins: with the window that holds the time asked from, or
	// where chaperone began to know the topic, if no time was asked from.
	From        time.Time  `json:"from"`
	Until       time.Time  `json:"completeUntil"`    // all windows from From up to it are complete; From: the first is not
	Provisional time.Time  `json:"provisionalUntil"` // ... or have ended and lack nothing so far
	Since       *time.Time `json:"knownSince,omitempty"`
	Settled     *time.Time `json:"settledUntil,omitempty"` // all before it is settled, for good or bad
	Complete    bool       `json:"complete"`               // all of the time asked for
	Windows     int        `json:"windows"`                // in that time
	Incomplete  int        `json:"incompleteWindows"`      // of them that are settled and not complete
	Unsettled   int        `json:"unsettledWindows"`       // of them that are not settled
	Verdict     string     `json:"verdict"`                // the gravest of the settled windows
	Held        *Held      `json:"heldBy,omitempty"`       // what keeps completeUntil from rising
	Tiers       []Reach    `json:"tiers"`                  // in the order of the pipeline
	// PerWindow is there if one topic was asked for.
	PerWindow []WindowCompleteness `json:"perWindow,omitempty"`
}

// A WindowCompleteness is a window of a topic.
type WindowCompleteness struct {
	Start    time.Time `json:"start"`
	End      time.Time `json:"end"`
	State    string    `json:"state"`           // open, provisional, final or amended
	Verdict  string    `json:"verdict"`         // missing, altered, duplicated, unknown, late or complete
	Ratio    *float64  `json:"ratio,omitempty"` // of what went in that came out; absent where nobody knows
	Complete bool      `json:"complete"`
	Empty    bool      `json:"empty"`             // nobody has counted a message in it, so there is no verdict
	Against  []string  `json:"against,omitempty"` // what was found, in plain words
}

// Held is the first window that is not complete, and why.
type Held struct {
	Start    time.Time  `json:"start"`
	End      *time.Time `json:"end,omitempty"` // absent where nobody knows the size of windows
	State    string     `json:"state"`
	Verdict  string     `json:"verdict"`
	Reason   string     `json:"reason,omitempty"`
	From     string     `json:"fromTier,omitempty"` // the tiers between which something is amiss
	To       string     `json:"toTier,omitempty"`
	Sentence string     `json:"sentence"` // all of this in plain words
}

// A Reach is how far a tier has been counted.
type Reach struct {
	Tier   string     `json:"tier"`
	Until  *time.Time `json:"countedUntil,omitempty"` // as of the newest judgement; absent: nobody knows
	Newest *time.Time `json:"newestWindow,omitempty"` // start of the newest one with a message
	Holds  []Hold     `json:"holds,omitempty"`        // what keeps it from rising, the furthest behind first
}

// A Hold is a source that has not been counted far enough.
type Hold struct {
	Reason string     `json:"reason"`
	Until  *time.Time `json:"countedUntil,omitempty"`
	Place
}

// Verdicts answers GET /api/v1/verdicts and /api/v1/topics/{topic}/verdicts.
type Verdicts struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Verdicts []Verdict `json:"verdicts"` // by topic and start
}

// A Verdict is what is known of a window of a topic.
type Verdict struct {
	Topic    string      `json:"topic"`
	Start    time.Time   `json:"start"`
	End      time.Time   `json:"end"`
	Pipeline string      `json:"pipeline"`
	State    string      `json:"state"`
	Verdict  string      `json:"verdict"` // the gravest finding that is not explained
	Ratio    float64     `json:"ratio"`   // of what went in that came out
	Findings []Finding   `json:"findings"`
	Tiers    []TierCount `json:"tiers"`             // in the order of the pipeline
	Judged   time.Time   `json:"judgedAt"`          // by the audit cluster
	Final    *time.Time  `json:"finalAt,omitempty"` // when it was final for the first time
	Version  int64       `json:"version"`           // offset of the audit topic up to which everything is considered
	Digest   string      `json:"digest"`            // of the configuration of pipelines
	// AtFinal is, of an amended window, how many messages each tier had when it was final.
	AtFinal map[string]uint64 `json:"atFinal,omitempty"`
}

// A Finding is one thing that was found out about a window.
type Finding struct {
	Kind      string      `json:"kind"`
	Reason    string      `json:"reason,omitempty"`
	From      string      `json:"fromTier,omitempty"`
	To        string      `json:"toTier,omitempty"`
	Messages  uint64      `json:"messages"`        // exactly, or as Bound says
	Bound     string      `json:"bound,omitempty"` // at_least, at_most or unbounded
	Explained bool        `json:"explained"`       // it is known and honest, and makes no verdict
	Places    []Place     `json:"places,omitempty"`
	IDs       []MessageID `json:"ids,omitempty"` // names of the messages
	Detail    string      `json:"detail,omitempty"`
	Sentence  string      `json:"sentence"` // all of this in plain words
}

// A Place is where something was found, as far as it is known.
type Place struct {
	Datacenter string `json:"datacenter,omitempty"`
	Cluster    string `json:"cluster,omitempty"`
	Partition  *int32 `json:"partition,omitempty"`
	Instance   string `json:"instance,omitempty"`
	Messages   uint64 `json:"messages,omitempty"`
	First      *int64 `json:"firstOffset,omitempty"`
	Last       *int64 `json:"lastOffset,omitempty"`
}

// A MessageID names a message that one tier has more often than the other: its id is the
// hash of key and value, modulo 2^61-1.
type MessageID struct {
	ID    string `json:"id"`
	Times int64  `json:"times"` // how many more the second tier has; below 0, how many fewer
}

// A TierCount is what a tier has counted in a window.
type TierCount struct {
	Tier        string            `json:"tier"`
	Messages    uint64            `json:"messages"`
	Bytes       uint64            `json:"bytes"`
	NoTime      uint64            `json:"noTime"`
	Malformed   uint64            `json:"malformed"`
	OutOfBounds uint64            `json:"outOfBounds"`
	Attempts    uint64            `json:"attempts"` // of application instances
	Failures    uint64            `json:"failures"`
	Sources     int               `json:"sources"` // that have counted something in the window
	Counted     bool              `json:"counted"` // every source has been counted past the window and its grace
	Fingerprint string            `json:"fingerprint,omitempty"`
	Latency     *Percentiles      `json:"latency,omitempty"` // up to the record timestamp
	Arrival     *Percentiles      `json:"arrival,omitempty"` // up to the moment of counting
	Datacenters map[string]uint64 `json:"datacenters,omitempty"`
}

// Percentiles of a latency in milliseconds, off by at most 1 %.
type Percentiles struct {
	Count       uint64  `json:"count"`
	P50         float64 `json:"p50"`
	P95         float64 `json:"p95"`
	P99         float64 `json:"p99"`
	Max         int64   `json:"max"`
	Negative    uint64  `json:"negative"`
	NegativeMax int64   `json:"negativeMax"`
}

// Explanation answers GET /api/v1/topics/{topic}/why: the chain of evidence of a window,
// from the verdict down to the records that it rests on.
type Explanation struct {
	Topic    string             `json:"topic"`
	Pipeline string             `json:"pipeline"`
	Window   WindowCompleteness `json:"window"`
	Held     *Held              `json:"heldBy,omitempty"`  // why it is not complete
	Verdict  *Verdict           `json:"verdict,omitempty"` // absent: nobody has counted a message in it
	Tiers    []TierEvidence     `json:"tiers"`             // in the order of the pipeline
	Missed   []MissedRange      `json:"missed"`            // that touch the window
	Silent   []Instance         `json:"silent"`            // application instances that fell silent without goodbye

	Sentences []string `json:"sentences"`   // all of this in plain words
	Changes   []string `json:"wouldChange"` // what would change the verdict, likewise
}

// TierEvidence is what is known of a window at a tier.
type TierEvidence struct {
	Tier     string           `json:"tier"`
	Messages uint64           `json:"messages"`
	Bytes    uint64           `json:"bytes"`
	Until    *time.Time       `json:"countedUntil,omitempty"`
	Holds    []Hold           `json:"holds,omitempty"`
	Sources  []SourceEvidence `json:"sources"`
}

// SourceEvidence is what is known of a window at a partition, or at an application instance.
type SourceEvidence struct {
	Datacenter string    `json:"datacenter,omitempty"`
	Cluster    string    `json:"cluster,omitempty"`
	Partition  *int32    `json:"partition,omitempty"`
	Instance   string    `json:"instance,omitempty"`
	Messages   uint64    `json:"messages"`
	Bytes      uint64    `json:"bytes"`
	First      *int64    `json:"firstOffset,omitempty"`
	Last       *int64    `json:"lastOffset,omitempty"`
	Records    []Record  `json:"records"`            // one for each generation and segment
	Progress   *Source   `json:"progress,omitempty"` // who counts the partition, and how far
	Client     *Instance `json:"client,omitempty"`   // of the application instance
}

// A Record is what a source has said of a window.
type Record struct {
	UUID        string    `json:"uuid"`
	Identity    string    `json:"identity"` // its key on the audit topic, without the owner
	Version     int64     `json:"version"`  // the last offset counted, or the sequence number of an instance
	Tier        string    `json:"tier"`
	Start       time.Time `json:"start"` // of the window
	End         time.Time `json:"end"`
	Owner       string    `json:"owner,omitempty"`
	Host        string    `json:"host,omitempty"`
	Count       uint64    `json:"count"`
	Bytes       uint64    `json:"bytes"`
	First       *int64    `json:"firstOffset,omitempty"`
	Last        *int64    `json:"lastOffset,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Mode        string    `json:"fingerprintMode,omitempty"`
	Partial     bool      `json:"partial"`
}

// Records answers GET /api/v1/topics/{topic}/records.
type Records struct {
	Topic   string    `json:"topic"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Records []Record  `json:"records"` // by window and identity
}
