package sink

import "github.com/prometheus/client_golang/prometheus"

// metrics of the sinking processor of this instance. Each record read is written,
// malformed or rejected, or in flight.
type metrics struct {
	read, written, batches        prometheus.Counter
	malformed, rejected, failures prometheus.Counter
	imbalances                    prometheus.Counter
	inFlight                      prometheus.Gauge
	write                         prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "sink", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		read:       counter("read_total", "Records read from the audit topic: the sum of written, malformed, rejected and those in flight."),
		written:    counter("written_total", "Records that the store has acknowledged."),
		batches:    counter("batches_total", "Batches that the store has acknowledged."),
		malformed:  counter("malformed_total", "Records set aside because they cannot be read."),
		rejected:   counter("rejected_total", "Records set aside because the store rejects them."),
		failures:   counter("failures_total", "Attempts to write a batch that failed and were, or will be, repeated."),
		imbalances: counter("imbalances_total", "Times that the books of a partition did not balance: a bug; /health says which partition."),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "sink", Name: "in_flight_records",
			Help: "Records read that are on their way to the store."}),
		write: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "sink", Name: "write_seconds",
			Help: "Time of an attempt to write a batch.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 16)}),
	}
	reg.MustRegister(m.inFlight, m.write)
	return m
}

// submitted takes a record that was read, or could not be.
func (m *metrics) submitted(legible bool) {
	m.read.Inc()
	if legible {
		m.inFlight.Inc()
	} else {
		m.malformed.Inc()
	}
}
