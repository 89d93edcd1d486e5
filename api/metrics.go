package api

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
)

// metrics of what applications report.
type metrics struct {
	reports *prometheus.CounterVec
	records prometheus.Counter
	took    prometheus.Histogram
}

// outcomeAccepted is the outcome of a report that is no problem; else it is the code.
const outcomeAccepted = "accepted"

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "http", Name: "reports_total",
			Help: "Reports of applications, by what became of them: accepted, or the code of the problem."}, []string{"outcome"}),
		records: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "http", Name: "reported_records_total",
			Help: "Records of accepted reports, on the audit topic."}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "http", Name: "report_seconds",
			Help: "Time from an accepted report to its acknowledgement.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14)}),
	}
	for _, code := range []v1.Code{outcomeAccepted, v1.BadRequest, v1.Unauthorized, v1.TooLarge, v1.UnsupportedEncoding, v1.InvalidRecords, v1.Unavailable, v1.Timeout} {
		m.reports.WithLabelValues(string(code)) // so that the first one is seen to rise
	}
	if reg != nil {
		reg.MustRegister(m.reports, m.records, m.took)
	}
	return m
}

func (m *metrics) accepted(records int, took time.Duration) {
	m.reports.WithLabelValues(outcomeAccepted).Inc()
	m.records.Add(float64(records))
	m.took.Observe(took.Seconds())
}

func (m *metrics) refused(err error) { m.reports.WithLabelValues(string(problemOf(err).Code)).Inc() }
