package compare

import (
	"encoding/json"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Standing is how far the judgement of a topic has come: the newest word about it. Of
// several the one with the highest Version counts.
type Standing struct {
	Topic    string `json:"topic"`
	Pipeline string `json:"pipeline"`
	Size     int64  `json:"size"` // of windows, seconds
	// Since is the start of the oldest window that is judged, Unix seconds: what was
	// before is not known.
	Since int64 `json:"since"`
	// Until is the end of the newest window such that it, and all before it, are settled,
	// Unix seconds. Those of which there is no verdict are complete at zero. 0: none is.
	Until int64   `json:"until"`
	Tiers []Reach `json:"tiers"`
	// Doubts are spans of time in which more messages may have passed than were counted.
	// Of windows that touch them nobody knows, if they have no verdict.
	Doubts  []Span `json:"doubts,omitempty"`
	Judged  int64  `json:"judgedAt"` // by the audit topic's time, Unix milliseconds
	Version int64  `json:"version"`
	Digest  string `json:"digest"`
}

// A Span is a doubt about all windows that touch it, in Unix milliseconds by the clock of
// those who append; From 0 is since ever. Events are older than their messages, so windows
// are touched for a Grace after their end.
type Span struct {
	Tier  string `json:"tier"`
	Key   string `json:"key"` // what has raised it
	From  int64  `json:"from"`
	To    int64  `json:"to"`
	Grace int64  `json:"grace"`
	Doubt
}

// Touches says whether a window touches the span.
func (s *Span) Touches(w audit.Window) bool {
	return s.From < w.End()*1000+s.Grace && s.To >= w.Start*1000
}

// A Reach is how far a tier has been counted.
type Reach struct {
	Tier string `json:"tier"`
	// Until is a time such that everything appended to the tier's logs before it, or
	// passed its instances, has been counted, by the audit topic's time, Unix
	// milliseconds. 0: nobody knows.
	Until int64 `json:"until"`
	// Newest is the start of the newest window in which the tier has a message, Unix
	// seconds; 0 none.
	Newest int64 `json:"newest,omitempty"`
	// Holds are what keeps Until from rising, the furthest behind first, at most
	// MostPlaces. There are none while it rises as it should.
	Holds []Hold `json:"holds,omitempty"`
}

// A Hold is a source that has not been counted far enough.
type Hold struct {
	Reason Reason `json:"reason"`
	Until  int64  `json:"until"` // as in Reach
	Place
}

// Key of a standing, as that of a verdict: topic/-/standing.
func (s *Standing) Key() string { return key(s.Topic, kindStanding) }

// Encode gives the JSON that Decode reads.
func (s *Standing) Encode() ([]byte, error) {
	type plain Standing
	return json.Marshal(struct {
		Record string `json:"record"`
		*plain
	}{kindStanding, (*plain)(s)})
}
