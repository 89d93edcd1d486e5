package collect

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of the collecting processor of this instance.
type metrics struct {
	outcome               map[Outcome]prometheus.Counter
	stored, emitted, gone prometheus.Counter
	judged                prometheus.Counter
	unread                prometheus.Counter
	imbalances            *prometheus.CounterVec
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
		judged:  counter("verdicts_total", "Verdicts and standings that were said, because they are new or have changed."),
		unread:  counter("unread_entries_total", "Entries of the table that could not be read when a partition was claimed."),
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "collect", Name: "flush_seconds",
			Help: "Time to store a flush.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14)}),
	}
	m.imbalances = prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "collect", Name: "imbalances_total",
		Help: "Times that what is said about a source cannot all be true, by kind: a bug, or damage; /health says which source."}, []string{"kind"})
	for _, k := range []ImbalanceKind{Deficit, Surplus, Overlap, Law} {
		m.imbalances.WithLabelValues(string(k)) // so that the first one is seen to rise
	}
	for _, o := range []Outcome{Collected, Known, Moved, Beyond, Unknown, Malformed} {
		m.outcome[o] = records.WithLabelValues(string(o))
	}
	gauge := func(name, help string, of func(size) int) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "collect", Name: name, Help: help},
			func() float64 { return float64(of(p.size())) }))
	}
	reg.MustRegister(records, m.imbalances, m.flush)
	gauge("partitions", "Partitions of the audit topic that this instance collects.", func(n size) int { return n.partitions })
	gauge("identities", "Identities in memory.", func(n size) int { return n.identities })
	gauge("changes_waiting", "Changes that wait to be stored.", func(n size) int { return n.waiting })
	gauge("changes_in_flight", "Changes handed to the producer and not yet acknowledged.", func(n size) int { return n.inFlight })
	gauge("sources_followed", "Sources whose sums are known, so that a record that is lost or wrong would be noticed. After a restart they are learnt as progress comes.",
		func(n size) int { return n.followed })
	return m
}

func (m *metrics) flushed(f flushed, took time.Duration) {
	for i := range f.changes.Writes {
		w := &f.changes.Writes[i]
		if isTick(w) {
			continue
		}
		if w.Value == nil {
			m.emitted.Inc()
			continue
		}
		m.stored.Inc()
		if w.Emit != nil {
			m.judged.Inc()
		}
	}
	if f.deleted {
		m.gone.Add(float64(len(f.changes.Deletes)))
	}
	m.flush.Observe(took.Seconds())
}
