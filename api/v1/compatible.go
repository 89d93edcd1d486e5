package v1

// GobblinTotals answers GET /gobblin/audit, as AuditCountHttpClient of Apache Gobblin's
// gobblin-completeness reads it.
type GobblinTotals struct {
	TotalsPerTier map[string]uint64 `json:"totalsPerTier"`
}

// GobblinResult answers GET /gobblin/audit/{topic}, as KafkaAuditCountHttpClient of Apache
// Gobblin's gobblin-compaction reads it.
type GobblinResult struct {
	Result map[string]uint64 `json:"result"`
}

// RawMetrics answers GET /chaperone3/rawmetrics, as C3QueryUtils of uReplicator reads it:
// by topic, a list of one. Topics of which nothing was counted are absent.
type RawMetrics map[string][]RawMetric

// A RawMetric is what was counted of a topic in a time.
type RawMetric struct {
	Start       int64    `json:"startTimeSec"`
	End         int64    `json:"endTimeSec"`
	Bytes       uint64   `json:"totalBytes"`
	Count       uint64   `json:"totalCount"`
	Invalid     uint64   `json:"invalidCount"`
	MeanLatency *float64 `json:"meanLatencyFromCreation,omitempty"` // milliseconds, as are the following
	P99Latency  *float64 `json:"p99LatencyFromCreation,omitempty"`
	MaxLatency  *int64   `json:"maxLatencyFromCreation,omitempty"`
}
