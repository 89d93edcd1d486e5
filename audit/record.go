package audit

import "encoding/json"

// A Kind says what a Record is about.
type Kind string

// The kinds of records on the audit topic.
const (
	KindWindow   Kind = "window"   // a source's tally of a window so far
	KindProgress Kind = "progress" // how far an instance has counted the sources of a topic
	KindHello    Kind = "hello"    // an application instance begins to count
	KindGoodbye  Kind = "goodbye"  // ... and has ended in order: nothing of it is missing
	KindMissed   Kind = "missed"   // a range of a source that nobody can count any more
)

// A Record is one statement of one counter, as it stands on the audit topic.
// Exactly the parts that belong to its Kind are set. A Record is not changed
// after it has been handed on.
type Record struct {
	Kind Kind
	Identity
	// Physical is the name that the topic has on its cluster, where that is another
	// than Topic: what replication has renamed is one topic by its logical name. It is
	// no part of the Identity, since TopicID tells two such topics apart.
	Physical string
	// Version orders the records of one Identity: the highest is the newest,
	// equal ones are equal. The last offset counted, or the sequence number of
	// an application instance or of a progress record.
	Version int64
	// Base, where it is above 0, is the generation from which generations count:
	// an operator asked for a recount, and the lower ones drop out.
	Base int64

	Owner string // the session of an instance that wrote this; unique, not ordered
	Host  string // where it ran, for people

	Tally    *WindowTally   // KindWindow
	Progress *Progress      // KindProgress
	Missed   *Missed        // KindMissed
	Client   *ClientCount   // of application instances: all kinds but KindMissed
	Original *OriginalCount // of a record of the original Chaperone, together with Tally

	// Extra holds the JSON fields that this version does not know, as they came
	// but for white space. In a record of a Kind that it does not know, that is
	// all of them: Identity and Version then say nothing.
	Extra map[string]json.RawMessage
}

// A WindowTally is what a source has counted in a window, and how.
type WindowTally struct {
	Tally
	First, Last int64 // offsets of the first and last message counted; -1 where there are none
	// Partial says that the source may hold earlier messages of this window
	// which were not counted, because counting began in its middle.
	Partial bool
	// GenerationStart is the offset at which the generation began.
	GenerationStart int64

	Codec           string // that the event times came from
	TimeBasis       string // what the codec reads: BasisPayload, BasisHeader, BasisRecord or BasisMixed
	LatencyBasis    string // what a latency ends at: BasisCreateTime, BasisAppendTime, BasisClock or BasisUnknown
	Digest          string // of codec, bounds and window size: unlike ones are not compared
	FingerprintMode string

	// Arrival is the latency up to the moment of reading, taken only while the
	// source is caught up; nil where it is not measured. It depends on a clock
	// and so is outside the promise of the package comment.
	Arrival *Latency
	// Sketch is a set sketch of the window (an IBLT) in the form that
	// SketchMode names; empty where none is kept.
	Sketch     []byte
	SketchMode string

	arrivalUnknown unknown
}

// unknown holds the fields of a nested object that this version does not know,
// as JSON members in order of name, so that they survive a round trip. A string,
// so that the structs that carry it can be compared and copied.
type unknown string

// What an event time or a latency rests on.
const (
	BasisPayload    = "payload"
	BasisHeader     = "header"
	BasisRecord     = "record"
	BasisMixed      = "mixed"
	BasisCreateTime = "CreateTime"
	BasisAppendTime = "LogAppendTime"
	BasisClock      = "clock" // of the counter, when the message passed
	BasisUnknown    = "unknown"
)

// Progress says how far an instance has durably counted the partitions of one
// topic that are its own. Without it a window is never called complete: no
// record may mean that there was no message, or nobody to count it. Version is
// the sequence of progress records of the owner and topic, from 1, and the
// owner belongs to its IdentityKey. Of a topic that a cluster does not have there
// is progress too: see Record.Absent.
type Progress struct {
	// AskedAfter is the Version of the owner's newest progress record of the
	// topic that had been acknowledged when the ends were asked for, 0 if none.
	// So whatever was appended before that record is before HighWatermark, and before
	// End if no transaction that had begun by then was open.
	AskedAfter int64
	Partitions int32 // that the topic has
	// Compacted says that the topic is known to be compacted. What is read of it
	// depends on when, so that two who count it may be right and differ.
	Compacted bool
	Sources   []SourceProgress

	unknown unknown
}

// Absent says that the record states that its cluster has no such topic: progress
// with neither partitions nor sources nor a topic id. The cluster was asked after the
// progress record that AskedAfter names, so that nothing is there of what was
// appended before it.
func (r *Record) Absent() bool {
	return r.Kind == KindProgress && r.Progress != nil && r.Cluster != "" && r.TopicID == TopicID{} &&
		r.Progress.Partitions == 0 && len(r.Progress.Sources) == 0
}

// SourceProgress is the progress of one partition.
type SourceProgress struct {
	Partition  int32
	Generation int64
	Base       int64 // as in Record
	Segment    int64
	Start      int64  // offset at which the generation began
	Next       int64  // first offset not durably counted
	Total      uint64 // messages counted in the generation
	Time       int64  // record timestamp of the last one counted, Unix milliseconds; 0 if none
	LogStart   int64  // first offset the log still has; -1 unknown
	End        int64  // last stable offset when asked; -1 unknown
	// HighWatermark is the end of the log with all that has been appended when asked,
	// not before End; -1 unknown. What is between the two is of transactions that
	// were open: it is there, it may be old, and nobody can read it yet.
	HighWatermark int64
	CaughtUp      CaughtUp

	unknown unknown
}

// CaughtUp says whether everything before End has been counted.
type CaughtUp string

// Unknown is an answer: a reader that does not see control records and aborted
// transactions cannot tell a tail of them from messages not yet read.
const (
	CaughtUpYes     CaughtUp = "yes"
	CaughtUpNo      CaughtUp = "no"
	CaughtUpUnknown CaughtUp = "unknown"
)

// Missed is a range of offsets that nobody can count any more. Generation is
// the one that begins after it. At most as many messages as the range has offsets
// are missed, unless the Reason is MissedTruncated, MissedRecreated or
// MissedDamaged: then it says where, and nobody knows how many.
type Missed struct {
	From, To int64 // [From, To)
	Reason   MissedReason
	// Since and Until bound the event times that may be touched, by record
	// timestamps, Unix milliseconds; 0 unknown.
	Since, Until int64

	unknown unknown
}

// A MissedReason says how a range was lost.
type MissedReason string

// The discontinuities of a source's log, or of our memory of it.
const (
	MissedRetention MissedReason = "retention" // deleted before it was counted
	MissedTruncated MissedReason = "truncated" // the log was cut below what had been counted, and grew again
	MissedRecreated MissedReason = "recreated" // the topic was deleted and made again; the tail of the old one is unknown
	MissedDamaged   MissedReason = "damaged"   // our table held less than its ledger claimed
	MissedConfig    MissedReason = "config"    // codec, bounds or window size changed before the rows were safe
	MissedCorrupt   MissedReason = "corrupt"   // batches that cannot be read
	MissedRecount   MissedReason = "recount"   // an operator asked to count anew
)

// ClientCount is what an application instance knows beyond a Tally.
type ClientCount struct {
	Attempts, Successes, Failures uint64
	// Started is when the instance began, Unix milliseconds by its own clock, for people.
	Started int64
	// Records is, in a goodbye and in progress, of how many windows, by segment, the
	// instance has sent records: what is fewer is on its way or lost.
	Records uint64
	// Uncounted is how many messages of all topics passed that no record has.
	Uncounted uint64
	// Every is, in hello and progress, how long the instance is silent at most,
	// milliseconds; one that has been silent for longer, and has not said goodbye, has
	// vanished or cannot report. 0 unknown.
	Every int64

	unknown unknown
}

// OriginalCount is what a record of the original Chaperone says in its own way.
// Its latencies describe at most the last 1,000 messages of the record and are
// kept as reported, in milliseconds; nil where it had null.
type OriginalCount struct {
	UUID                                          string
	MeanLatency, Latency95, Latency99, MaxLatency *float64
}
