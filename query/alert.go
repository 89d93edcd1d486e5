package query

import (
	"context"

	"github.com/chaperone-audit/chaperone/compare"
)

// An Alert is what a rule has found for one cause: one thing that somebody has to look
// into, however many topics and windows it touches. Of several with one Key the one with
// the highest Version counts.
type Alert struct {
	// Key is the same as long as the alert lives, and no other alert has it: rule and
	// cause, and when it began. Receivers drop repeats by it.
	Key      string     `json:"key"`
	Rule     string     `json:"rule"`
	Class    string     `json:"class"`    // of the topics: critical, normal, low, or as configured
	Severity Severity   `json:"severity"` // how soon somebody should look
	State    AlertState `json:"state"`
	Shadow   bool       `json:"shadow,omitempty"` // recorded only: nobody is notified
	Muted    string     `json:"muted,omitempty"`  // by which mute, as of Version

	Cause

	// Since is when it began, Unix milliseconds by the audit topic's time; so are the
	// other moments, which are 0 until they have come.
	Since    int64 `json:"since"`
	Fired    int64 `json:"firedAt,omitempty"`
	Resolved int64 `json:"resolvedAt,omitempty"`

	// Start and End span the windows that it is about, Unix seconds; 0: it is about none.
	Start int64 `json:"start,omitempty"`
	End   int64 `json:"end,omitempty"`
	// Topics are some of those that it is about, those with the most messages first, at
	// most MostTopics; Affected and Windows are how many there are of both.
	Topics   []string `json:"topics"`
	Affected int      `json:"affectedTopics"`
	Windows  int      `json:"windows"`
	// Messages is how many it is about, over all topics and windows, as Bound says.
	Messages uint64        `json:"messages"`
	Bound    compare.Bound `json:"bound,omitempty"`

	Summary string `json:"summary"` // a line for people
	Text    string `json:"text"`    // the tiers with their counts, and what to do

	// Version rises with each change.
	Version int64 `json:"version"`
}

// A Cause is what findings have in common that one failure has made.
type Cause struct {
	Pipeline string `json:"pipeline,omitempty"`
	// From and To are the tiers between which it lies; From is empty where it is about
	// one tier alone.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Subject is what the rule looks at, such as missing or lag; Reason is that of the
	// findings, where they have one.
	Subject string         `json:"subject"`
	Reason  compare.Reason `json:"reason,omitempty"`
	// Cluster and Datacenter are where, if all places that are known agree.
	Cluster    string `json:"cluster,omitempty"`
	Datacenter string `json:"datacenter,omitempty"`
}

// A Severity says how soon somebody should look.
type Severity string

// The severities, the gravest first.
const (
	Page   Severity = "page"   // at once, at night too
	Ticket Severity = "ticket" // on the next working day
	Notice Severity = "notice" // it is written down
)

// An AlertState says how far an alert has come. It only moves on.
type AlertState string

// The states of an alert.
const (
	Pending  AlertState = "pending"  // found, and not for long enough
	Firing   AlertState = "firing"   // somebody was told, or would have been
	Resolved AlertState = "resolved" // over
)

// MostTopics bounds the topics that an Alert names.
const MostTopics = 20

// Alerts asks for alerts that were there at some time in [From, To): that began before
// To, and were not over at From.
type Alerts struct {
	From, To int64      // Unix seconds; both 0 is ever
	Topic    string     // among those that the alert names; empty means any
	Rule     string     // empty means any
	State    AlertState // empty means any
	Limit    int        // at most so many, the newest; 0 means all
}

// Wants says whether an alert is one of those asked for. It is the measure for every
// other way to answer.
func (q *Alerts) Wants(a *Alert) bool {
	switch {
	case q.Rule != "" && q.Rule != a.Rule, q.State != "" && q.State != a.State:
		return false
	case q.From == 0 && q.To == 0:
	case a.Since >= q.To*1000, a.Resolved != 0 && a.Resolved < q.From*1000:
		return false
	}
	if q.Topic == "" {
		return true
	}
	for _, t := range a.Topics {
		if t == q.Topic {
			return true
		}
	}
	return false
}

// Alerting answers what rules have found. Safe for concurrent use.
type Alerting interface {
	// Alerts gives the newest word of each alert that is asked for, those that began last
	// first, and of those of one moment by key.
	Alerts(ctx context.Context, q Alerts) ([]*Alert, error)
}
