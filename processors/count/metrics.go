package count

import "github.com/prometheus/client_golang/prometheus"

// metrics of the counting processor of this instance.
type metrics struct {
	messages, bytes, replayed prometheus.Counter
	rows, ledgers, evicted    prometheus.Counter
	unconfirmed, pauses       prometheus.Counter
	missed                    *prometheus.CounterVec
	flush                     prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer, p *Processor) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "count", Name: name, Help: help})
		reg.MustRegister(c)
		return c
	}
	gauge := func(name, help string, f func() float64) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chaperone", Subsystem: "count", Name: name, Help: help}, f))
	}
	m := &metrics{
		messages:    counter("messages_total", "Messages counted by this instance."),
		bytes:       counter("bytes_total", "Bytes of keys and values read by this instance."),
		replayed:    counter("replayed_total", "Messages read again after a restart that had been counted."),
		rows:        counter("rows_total", "Rows written to the table, each with its record."),
		ledgers:     counter("ledgers_total", "Ledgers written to the table."),
		evicted:     counter("evicted_total", "Keys deleted from the table."),
		unconfirmed: counter("unconfirmed_total", "Times that the coordinator did not confirm the ownership of a shard."),
		pauses:      counter("pauses_total", "Times that a source was read no further until its rows were stored."),
		missed: prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "chaperone", Subsystem: "count", Name: "missed_offsets_total",
			Help: "Offsets that could not be counted, by reason; at most so many messages."}, []string{"reason"}),
		flush: prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: "chaperone", Subsystem: "count", Name: "flush_seconds",
			Help: "Time to store a flush.", Buckets: prometheus.ExponentialBuckets(0.002, 2, 14)}),
	}
	reg.MustRegister(m.missed, m.flush)
	gauge("shards", "Shards that this instance owns.", func() float64 { return float64(p.size().shards) })
	gauge("sources", "Source partitions that this instance counts.", func() float64 { return float64(p.size().sources) })
	gauge("rows_open", "Rows in memory.", func() float64 { return float64(p.size().rows) })
	gauge("rows_closed", "Rows of closed segments that wait to be durable; above a bound sources that add to them are not read.",
		func() float64 { return float64(p.pressure.rows.Load()) })
	gauge("table_entries", "Entries of the table that belong to the sources of this instance, of all owners. It falls when segments close; one that only rises means an instance that keeps restarting.",
		func() float64 { return float64(p.size().stored) })
	return m
}

func (m *metrics) counted(messages, replayed uint64, bytes int) {
	m.messages.Add(float64(messages))
	m.replayed.Add(float64(replayed))
	m.bytes.Add(float64(bytes))
}

func (m *metrics) stored(rows, ledgers int) {
	m.rows.Add(float64(rows))
	m.ledgers.Add(float64(ledgers))
}
