package sink

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of a sinking processor of this instance. Each record read is written, skipped,
// malformed or rejected, or in flight.
type metrics struct {
	read, written, batches       prometheus.Counter
	skipped, malformed, rejected prometheus.Counter
	failures, imbalances         prometheus.Counter
	inFlight                     prometheus.Gauge
	write                        prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, name, topic string) *metrics {
	subsystem := strings.ReplaceAll(name, " ", "_")
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: subsystem, Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		read:       counter("read_total", "Records read from the "+topic+": the sum of written, skipped, malformed, rejected and those in flight."),
		written:    counter("written_total", "Records that the store has acknowledged."),
		batches:    counter("batches_total", "Batches that the store has acknowledged."),
		skipped:    counter("skipped_total", "Records with nothing in them for the store."),
		malformed:  counter("malformed_total", "Records set aside because they cannot be read."),
		rejected:   counter("rejected_total", "Records set aside because the store rejects them."),
		failures:   counter("failures_total", "Attempts to write a batch that failed and were, or will be, repeated."),
		imbalances: counter("imbalances_total", "Times that the books of a partition did not balance: a bug; /health says which partition."),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: subsystem, Name: "in_flight_records",
			Help: "Records read that are on their way to the store."}),
		write: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: subsystem, Name: "write_seconds",
			Help: "Time of an attempt to write a batch.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 16)}),
	}
	reg.MustRegister(m.inFlight, m.write)
	return m
}

// submitted takes a record that was read, and its end if that is known.
func (m *metrics) submitted(end ending) {
	m.read.Inc()
	switch end {
	case skipped:
		m.skipped.Inc()
	case setAside:
		m.malformed.Inc()
	default:
		m.inFlight.Inc()
	}
}
