package count

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// metrics of the counting processor of this instance. What its readers hand over
// is consumed, and each message of that is in one of the next five.
type metrics struct {
	handed                          prometheus.Counter
	messages, replayed              prometheus.Counter
	again, below, dropped           prometheus.Counter
	bytes                           prometheus.Counter
	rows, ledgers, evicted          prometheus.Counter
	failed, unconfirmed, imbalances prometheus.Counter
	pauses                          prometheus.Counter
	missed                          *prometheus.CounterVec
	flush                           prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, p *Processor) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "count", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	m := &metrics{
		handed:      counter("consumed_total", "Messages handed over by the readers of this instance: the sum of messages, replayed, read_again, out_of_order and dropped."),
		messages:    counter("messages_total", "Messages counted by this instance."),
		replayed:    counter("replayed_total", "Messages read again after a restart that had been counted, and skipped."),
		again:       counter("read_again_total", "Messages read a second time to see that the log is still the one that was counted: one each time that a source is opened."),
		below:       counter("out_of_order_total", "Messages with an offset that had been passed, and skipped: a reader should not give them."),
		dropped:     counter("dropped_total", "Messages of a log that was found to be another than the one that was counted: a new generation begins."),
		bytes:       counter("bytes_total", "Bytes of keys and values read by this instance."),
		rows:        counter("rows_total", "Rows written to the table, each with its record."),
		ledgers:     counter("ledgers_total", "Ledgers written to the table."),
		evicted:     counter("evicted_total", "Keys deleted from the table."),
		failed:      counter("failed_flushes_total", "Flushes that failed: the session ends, and the next owner counts again from the ledgers."),
		unconfirmed: counter("unconfirmed_total", "Times that the coordinator did not confirm the ownership of a shard."),
		pauses:      counter("pauses_total", "Times that a source was read no further until its rows were stored."),
		imbalances:  counter("imbalances_total", "Times that the books of a source did not balance: a bug, or damaged memory; /health says which source."),
		missed: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "count", Name: "missed_offsets_total",
			Help: "Offsets that could not be counted, by reason; at most so many messages."}, []string{"reason"}),
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "count", Name: "flush_seconds",
			Help: "Time to store a flush.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14)}),
	}
	for _, reason := range []audit.MissedReason{audit.MissedRetention, audit.MissedTruncated, audit.MissedRecreated, audit.MissedDamaged, audit.MissedConfig, audit.MissedCorrupt, audit.MissedRecount} {
		m.missed.WithLabelValues(string(reason)) // so that the first one is seen to rise
	}
	reg.MustRegister(m.missed, m.flush, newGauges(p))
	return m
}

// consumed takes a batch of so many messages, and what became of them.
func (m *metrics) consumed(messages, bytes int, before, after counter.Stats) {
	m.handed.Add(float64(messages))
	m.bytes.Add(float64(bytes))
	m.messages.Add(float64(after.Counted - before.Counted))
	add := func(c prometheus.Counter, n uint64) {
		if n > 0 {
			c.Add(float64(n))
		}
	}
	add(m.replayed, after.Replayed-before.Replayed)
	add(m.again, after.Again-before.Again)
	add(m.below, after.Below-before.Below)
	add(m.dropped, after.Dropped-before.Dropped)
}

func (m *metrics) stored(rows, ledgers int) {
	m.rows.Add(float64(rows))
	m.ledgers.Add(float64(ledgers))
}
