package collect

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the collecting processor of this instance.
type metrics struct {
	outcome               map[Outcome]prometheus.Counter
	stored, emitted, gone prometheus.Counter
	unread                prometheus.Counter
	flush                 prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, p *Processor) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "collect", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	records := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "collect", Name: "records_total",
		Help: "Records read from the audit topic, by what became of them."}, []string{"outcome"})
	m := &metrics{
		outcome: map[Outcome]prometheus.Counter{},
		stored:  counter("stored_total", "Entries written to the table."),
		emitted: counter("emitted_total", "Records emitted again under their key."),
		gone:    counter("deleted_total", "Keys deleted from the table."),
		unread:  counter("unread_entries_total", "Entries of the table that could not be read when a partition was claimed."),
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "collect", Name: "flush_seconds",
			Help: "Time to store a flush.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14)}),
	}
	for _, o := range []Outcome{Collected, Known, Moved, Beyond, Unknown, Malformed} {
		m.outcome[o] = records.WithLabelValues(string(o))
	}
	gauge := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "collect", Name: name, Help: help}, f))
	}
	reg.MustRegister(records, m.flush)
	gauge("partitions", "Partitions of the audit topic that this instance collects.", func() float64 { n, _ := p.size(); return float64(n) })
	gauge("identities", "Identities in memory.", func() float64 { _, n := p.size(); return float64(n) })
	return m
}

func (m *metrics) flushed(f flushed, took time.Duration) {
	for i := range f.changes.Writes {
		if f.changes.Writes[i].Emit != nil {
			m.emitted.Inc()
		} else {
			m.stored.Inc()
		}
	}
	if f.deleted {
		m.gone.Add(float64(len(f.changes.Deletes)))
	}
	m.flush.Observe(took.Seconds())
}
