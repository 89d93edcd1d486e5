package views

import "github.com/prometheus/client_golang/prometheus"

// metrics of the views of this instance.
type metrics struct {
	restarts prometheus.Counter
	behind   prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer, s *Sources) *metrics {
	gauge := func(name, help string, f func(*replica) float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "views", Name: name, Help: help}, func() float64 {
			if r := s.current.Load(); r != nil {
				return f(r)
			}
			return 0
		}))
	}
	m := &metrics{
		restarts: prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "views", Name: "restarts_total",
			Help: "Times that a view ended and was built anew."}),
		behind: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "views", Name: "behind_entries",
			Help: "Entries of the table that the view has not read yet."}),
	}
	reg.MustRegister(m.restarts, m.behind)
	gauge("rows", "Rows held in memory.", func(r *replica) float64 { n, _ := r.size(); return float64(n) })
	gauge("bytes", "Bytes of keys and values held in memory.", func(r *replica) float64 { _, n := r.size(); return float64(n) })
	gauge("detail_seconds", "How far back windows are held in memory; less than views.detail where memory does not suffice.",
		func(r *replica) float64 { return float64(r.now.Load()-r.from()) / 1000 })
	gauge("unread_entries", "Entries of the table that this program cannot read.", func(r *replica) float64 { return float64(r.unread.Load()) })
	gauge("as_of_timestamp_seconds", "Append time of the newest record seen, Unix time.", func(r *replica) float64 { return float64(r.now.Load()) / 1000 })
	return m
}
