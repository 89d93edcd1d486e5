package v1

import "time"

// Lateness answers GET /api/v1/topics/{topic}/lateness.
type Lateness struct {
	Topic string         `json:"topic"`
	From  time.Time      `json:"from"`
	To    time.Time      `json:"to"`
	Tiers []TierLateness `json:"tiers"` // in the order of the pipeline, then by name
}

// A TierLateness is how late messages were at a tier.
type TierLateness struct {
	Tier    string   `json:"tier"`
	Latency Latency  `json:"latency"`       // from event to record timestamp, which replicators keep
	Arrival Latency  `json:"arrival"`       // from event to the moment of counting, while counters kept up
	Hop     *float64 `json:"hop,omitempty"` // by how much the median of arrival is above that of the tier before, ms
	// Curve is by arrival where that was measured, else by latency.
	Curve  []Arrived `json:"curve"`
	Graces []Grace   `json:"graces"`
}

// Arrived is the share of messages that had come so long after their event.
type Arrived struct {
	After float64 `json:"afterSeconds"`
	Share float64 `json:"share"`
}

// A Grace is how long to wait after a window ends for a share of its messages.
type Grace struct {
	Share float64 `json:"share"`
	Wait  float64 `json:"waitSeconds"`
}
