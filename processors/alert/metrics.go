package alert

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/query"
)

// metrics of the alerting processor of this instance.
type metrics struct {
	moves, deliveries *prometheus.CounterVec
	failures          prometheus.Counter
	step              prometheus.Histogram
	asOf              prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, p *Processor) *metrics {
	m := &metrics{
		moves: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "alert", Name: "transitions_total",
			Help: "Alerts that came into a state."}, []string{"state"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "alert", Name: "deliveries_total",
			Help: "Attempts to notify, by what became of them: failed and refused ones are repeated, abandoned ones are given up after a day."}, []string{"notifier", "outcome"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "alert", Name: "look_failures_total",
			Help: "Times that the verdicts could not be asked for, so that the rules were not run."}),
		step: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "alert", Name: "step_seconds",
			Help: "Time to ask for the verdicts, run the rules and store what has changed.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14)}),
		asOf: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "alert", Name: "as_of_timestamp_seconds",
			Help: "The log's time up to which the rules have been run here."}),
	}
	reg.MustRegister(m.moves, m.deliveries, m.failures, m.step, m.asOf)
	for _, s := range []query.AlertState{query.Pending, query.Firing, query.Resolved} {
		m.moves.WithLabelValues(string(s))
	}
	for name := range p.o.Notifiers {
		for _, outcome := range []string{"delivered", "failed", "refused", "abandoned"} {
			m.deliveries.WithLabelValues(name, outcome)
		}
	}
	gauge := func(name, help string, of func() int) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "alert", Name: name, Help: help}, func() float64 {
			p.mu.Lock()
			defer p.mu.Unlock()
			return float64(of())
		}))
	}
	gauge("firing", "Alerts that fire, as the instance that runs the rules knows.", func() int { return p.counts[query.Firing] })
	gauge("pending", "Alerts that are not yet firing, likewise.", func() int { return p.counts[query.Pending] })
	gauge("notifications_waiting", "Notifications that wait to be delivered, likewise.", func() int { return p.queued })
	return m
}
