package sink

import "github.com/prometheus/client_golang/prometheus"

// metrics of the sinking processor of this instance.
type metrics struct {
	read, written, batches        prometheus.Counter
	malformed, rejected, failures prometheus.Counter
	write                         prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "sink", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		read:      counter("read_total", "Records read from the audit topic."),
		written:   counter("written_total", "Records that the store has acknowledged."),
		batches:   counter("batches_total", "Batches that the store has acknowledged."),
		malformed: counter("malformed_total", "Records set aside because they cannot be read."),
		rejected:  counter("rejected_total", "Records set aside because the store rejects them."),
		failures:  counter("failures_total", "Attempts to write a batch that failed and were, or will be, repeated."),
		write: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "sink", Name: "write_seconds",
			Help: "Time of an attempt to write a batch.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 16)}),
	}
	reg.MustRegister(m.write)
	return m
}
