package views

import "github.com/prometheus/client_golang/prometheus"

// metrics of a view of this instance.
type metrics struct {
	restarts prometheus.Counter
	behind   prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, part string, of *follower) *metrics {
	gauge := func(name, help string, f func(*replica) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: part, Name: name, Help: help}, func() float64 {
			if r := of.current.Load(); r != nil {
				return f(r)
			}
			return 0
		}))
	}
	m := &metrics{
		restarts: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: part, Name: "restarts_total",
			Help: "Times that a view ended and was built anew."}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: part, Name: "behind_entries",
			Help: "Entries of the table that the view has not read yet."}),
	}
	reg.MustRegister(m.restarts, m.behind)
	gauge("rows", "Rows held in memory.", func(r *replica) float64 { n, _ := r.size(); return float64(n) })
	gauge("bytes", "Bytes of keys and values held in memory.", func(r *replica) float64 { _, n := r.size(); return float64(n) })
	gauge("detail_seconds", "How far back windows are held in memory; less than configured where memory does not suffice.",
		func(r *replica) float64 { return float64(r.now.Load()-r.from()) / 1000 })
	gauge("unread_entries", "Entries of the table that this program cannot read.", func(r *replica) float64 { return float64(r.unread.Load()) })
	gauge("as_of_timestamp_seconds", "Append time of the newest record seen, Unix time.", func(r *replica) float64 { return float64(r.now.Load()) / 1000 })
	return m
}
