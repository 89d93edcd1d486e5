package v1

import "time"

// Alerts answers GET /api/v1/alerts.
type Alerts struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Alerts []Alert   `json:"alerts"` // those that began last first
}

// An Alert is what a rule has found for one cause, however many topics and windows it
// touches.
type Alert struct {
	Key      string `json:"key"` // the same as long as it lives
	Rule     string `json:"rule"`
	Class    string `json:"class"`
	Severity string `json:"severity"`        // page, ticket or notice
	State    string `json:"state"`           // pending, firing or resolved
	Shadow   bool   `json:"shadow"`          // recorded only: nobody is notified
	Muted    string `json:"muted,omitempty"` // by which mute, or graver rule

	Subject    string `json:"subject"` // what the rule looks at
	Reason     string `json:"reason,omitempty"`
	Pipeline   string `json:"pipeline,omitempty"`
	From       string `json:"fromTier,omitempty"`
	To         string `json:"toTier,omitempty"`
	Cluster    string `json:"cluster,omitempty"`
	Datacenter string `json:"datacenter,omitempty"`

	Since    time.Time  `json:"since"`
	Fired    *time.Time `json:"firedAt,omitempty"`
	Resolved *time.Time `json:"resolvedAt,omitempty"`
	Start    *time.Time `json:"start,omitempty"` // of the windows that it is about
	End      *time.Time `json:"end,omitempty"`
	Topics   []string   `json:"topics"` // at most 20, those with the most messages first
	Affected int        `json:"affectedTopics"`
	Windows  int        `json:"windows"`
	Messages uint64     `json:"messages"`
	Bound    string     `json:"bound,omitempty"` // how the number is to be read: at_least, at_most, unbounded

	Summary string `json:"summary"`
	Text    string `json:"text"`
}
