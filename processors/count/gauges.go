package count

import "github.com/prometheus/client_golang/prometheus"

// size is what an instance has at one moment.
type size struct {
	shards, sources, rows, stored int
	waiting, inFlight             int    // rows
	closed                        int64  // rows
	unstored                      uint64 // messages
}

func (p *Processor) size() (n size) {
	p.mu.Lock()
	n.shards = len(p.shards)
	for s := range p.shards {
		n.inFlight += s.claim.InFlight()
	}
	p.mu.Unlock()
	n.closed = p.pressure.rows.Load()
	list, _ := p.all()
	for _, x := range list {
		x.mu.Lock()
		if x.c != nil {
			n.sources++
			n.rows += x.c.Len()
			n.stored += x.c.Stored()
			n.waiting += x.c.DirtyRows()
			n.unstored += x.c.Unstored()
		}
		x.mu.Unlock()
	}
	return n
}

// gauges shows sizes. One look at all sources serves all of them.
type gauges struct {
	p    *Processor
	list []gauge
}

type gauge struct {
	desc *prometheus.Desc
	of   func(size) float64
}

func newGauges(p *Processor) *gauges {
	g := &gauges{p: p}
	add := func(name, help string, of func(size) float64) {
		g.list = append(g.list, gauge{prometheus.NewDesc(prometheus.BuildFQName("chaperone", "count", name), help, nil, nil), of})
	}
	add("shards", "Shards that this instance owns.", func(n size) float64 { return float64(n.shards) })
	add("sources", "Source partitions that this instance counts.", func(n size) float64 { return float64(n.sources) })
	add("rows_open", "Rows in memory.", func(n size) float64 { return float64(n.rows) })
	add("rows_closed", "Rows of closed segments that wait to be durable; above a bound sources that add to them are not read.", func(n size) float64 { return float64(n.closed) })
	add("rows_waiting", "Rows that have changed and wait for a flush.", func(n size) float64 { return float64(n.waiting) })
	add("writes_in_flight", "Rows, ledgers and deletions handed to the producer and not yet acknowledged.", func(n size) float64 { return float64(n.inFlight) })
	add("unstored_messages", "Messages counted that no durable ledger covers yet: a successor would read them again.", func(n size) float64 { return float64(n.unstored) })
	add("table_entries", "Entries of the table that belong to the sources of this instance, of all owners. It falls when segments close; one that only rises means an instance that keeps restarting.",
		func(n size) float64 { return float64(n.stored) })
	return g
}

// Describe and Collect make it a prometheus.Collector.
func (g *gauges) Describe(ch chan<- *prometheus.Desc) {
	for _, x := range g.list {
		ch <- x.desc
	}
}

func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	n := g.p.size()
	for _, x := range g.list {
		ch <- prometheus.MustNewConstMetric(x.desc, prometheus.GaugeValue, x.of(n))
	}
}
