package compare

// A Kind says what was found out about a window. It is also what verdicts, metrics,
// REST, SQL and alerts call it.
type Kind string

// The kinds, the gravest first. The verdict of a window is its gravest finding.
const (
	Missing    Kind = "missing"    // messages have passed a tier and not the next one
	Altered    Kind = "altered"    // messages have another key or value than at the tier before
	Duplicated Kind = "duplicated" // messages are there more often than at the tier before
	Unknown    Kind = "unknown"    // nobody can say whether something is missing
	Late       Kind = "late"       // messages came after the window was final, or have not come yet and will
	Complete   Kind = "complete"   // what went in came out
)

// Kinds lists all of them in order of gravity.
func Kinds() []Kind { return []Kind{Missing, Altered, Duplicated, Unknown, Late, Complete} }

// Gravity is 0 for the gravest.
func (k Kind) Gravity() int {
	for i, other := range Kinds() {
		if k == other {
			return i
		}
	}
	return len(Kinds())
}

// Gravest is the verdict that findings make; without any it is Complete. Those that
// are explained do not count.
func Gravest(findings []Finding) Kind {
	worst := Complete
	for i := range findings {
		if f := &findings[i]; !f.Explained && f.Kind.Gravity() < worst.Gravity() {
			worst = f.Kind
		}
	}
	return worst
}

// A State is how far the judgement of a window has come. It only moves on.
type State string

// The states of a window.
const (
	Open        State = "open"        // it has not ended
	Provisional State = "provisional" // it has ended; messages may still be on their way, or a tier is not counted yet
	Final       State = "final"       // every tier has been counted past its end and grace
	Amended     State = "amended"     // changed after it was final
)

// Settled says whether nothing more is expected.
func (s State) Settled() bool { return s == Final || s == Amended }

// A Reason says why something is so. It is a stable code; [Finding.Sentence] says it in
// words.
type Reason string

// Reasons of findings and doubts.
const (
	// Why nobody knows.
	Uncounted      Reason = "uncounted"        // a source has not been counted past the window: its counter is down or behind
	Unreported     Reason = "unreported"       // nobody has said whether a cluster of the tier has the topic, or how far it is counted
	OpenTx         Reason = "open_transaction" // a transaction that does not end holds messages back
	Vanished       Reason = "vanished"         // an application instance fell silent without goodbye
	Withheld       Reason = "withheld"         // an application instance says that messages passed which are in no record
	Missed         Reason = "missed"           // a range of a log can no longer be counted
	Partial        Reason = "partial"          // counting began in the middle of the window
	Unacknowledged Reason = "unacknowledged"   // sent, and neither acknowledged nor refused
	Bypassed       Reason = "bypassed"         // messages come that the tier before does not count
	UnlikeSize     Reason = "unlike_window"    // the tiers have windows of other sizes
	UnlikeBasis    Reason = "unlike_time"      // the tiers read event times from different places
	UnlikeCodec    Reason = "unlike_codec"     // the tiers read event times with different codecs or bounds
	NoPipeline     Reason = "no_pipeline"      // the topic is at several tiers, and nobody has said in which order

	// Why something is late.
	Behind   Reason = "behind"   // the tier has not come to the end of the window yet: later windows are empty there
	Underway Reason = "underway" // the tier has not been counted past the window and its grace
	Arrived  Reason = "arrived"  // came after the window was final
	Shifted  Reason = "shifted"  // counted in a neighbouring window: together the two agree

	// Why a difference is honest.
	Compacted  Reason = "compacted"  // the topic is compacted at a tier
	Configured Reason = "configured" // the configuration says so

	// How much is known of a set of messages.
	CountsOnly Reason = "counts_only" // a tier keeps no fingerprint of this kind: the numbers agree, more is not known
	Unnamed    Reason = "unnamed"     // more messages differ than power sums can tell apart
)
