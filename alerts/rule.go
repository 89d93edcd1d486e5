package alerts

import (
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A Subject is what a rule looks at.
type Subject string

// The subjects.
const (
	// Facts about a window: they stay until the window is amended, or too long ago.
	Missing    = Subject(compare.Missing)
	Altered    = Subject(compare.Altered)
	Duplicated = Subject(compare.Duplicated)
	Unknown    = Subject(compare.Unknown)
	Late       = Subject(compare.Late)

	// How the newest windows are: over when a newer one is well.
	Latency   Subject = "latency"   // p99 up to the record timestamp
	Arrival   Subject = "arrival"   // p99 up to the moment of counting
	Skew      Subject = "skew"      // the largest negative latency: two clocks disagree
	NoTime    Subject = "no_time"   // messages without an event time
	Malformed Subject = "malformed" // messages that the codec cannot read

	// How topics stand now.
	Lag     Subject = "lag"     // a tier has not been counted for so long
	Silence Subject = "silence" // a tier that had messages has had none for so long
	Stalled Subject = "stalled" // nothing at all has been judged for so long, by the wall clock
)

// Subjects lists all of them.
func Subjects() []Subject {
	return []Subject{Missing, Altered, Duplicated, Unknown, Late, Latency, Arrival, Skew, NoTime, Malformed, Lag, Silence, Stalled}
}

// timed says whether a rule's bound is a duration, and not a number of messages.
func (s Subject) timed() bool {
	switch s {
	case Latency, Arrival, Skew, Lag, Silence, Stalled:
		return true
	}
	return false
}

// A Mode says what becomes of what rules find.
type Mode string

// The modes.
const (
	Off    Mode = "off"    // nothing is looked at
	Shadow Mode = "shadow" // it is found and recorded, and nobody is notified
	On     Mode = "on"
)

// A Rule says what is to be found, and who is told.
type Rule struct {
	Name    string
	Subject Subject
	Classes []string // of topics; none: all
	Topics  []string // patterns that match the whole name; none: all topics of the classes
	Tiers   []string // that it is about: at which something is missing, late, lagging; none: all

	// Reasons of findings that are looked at, none: all; Except are those that are not.
	Reasons, Except []compare.Reason

	// A hit has more than Messages, and more than Ratio of what passed, from 0 to 1. For
	// latencies Messages is how many must have been measured.
	Messages uint64
	Ratio    float64
	// Above is the bound of what is a time: latency, skew, lag, silence.
	Above time.Duration

	// For is how long it has to be so before the alert fires, Grace how long it has to be
	// over before it is resolved: what comes back within it is the same alert.
	For, Grace time.Duration
	// Repeat is how often one that is still firing is told of again; 0: never.
	Repeat   time.Duration
	Severity query.Severity
	Notify   []string // notifiers; none: all
	Mode     Mode     // empty: as all rules
}

// A Class is how important topics are. A topic has the first class that has a pattern
// which matches it.
type Class struct {
	Name   string
	Topics []string // patterns
}

// A Mute keeps notifications of some topics and rules back, such as during maintenance:
// while it holds, and of windows in which it held also later. What it mutes is recorded.
type Mute struct {
	Name    string
	Topics  []string // patterns; none: all
	Rules   []string // patterns; none: all
	Classes []string // none: all
	// Between From and To, each of which may be open; and, if there are Days or Hours,
	// only then.
	From, To time.Time
	Days     []time.Weekday
	// Hours are two times of a day, in which it holds from the first to the second; after
	// midnight if the second is earlier. Both 0: all day.
	Hours [2]time.Duration
	Zone  *time.Location // of Days and Hours; nil: UTC
}

// A Config is everything that alerts are configured with.
type Config struct {
	Mode    Mode
	Classes []Class
	Rules   []Rule
	Mutes   []Mute
	// Span is how far back windows are looked at: so long a loss stays an alert.
	Span time.Duration
	// Wait is how long an alert waits for others of its cause before it fires, Update how
	// soon one that has grown is told of again.
	Wait, Update time.Duration
	// Summary and Text are templates; empty: the default ones. URL is where people look
	// things up; empty: nowhere.
	Summary, Text string
	URL           string
	// Notifiers are the names that rules may have.
	Notifiers []string
}
