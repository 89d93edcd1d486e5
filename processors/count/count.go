package count

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// Options of a Processor. Those up to Host must be set.
type Options struct {
	Brokers  []string              // of the audit cluster
	Config   func() *sarama.Config // of the audit cluster, fresh each time
	Topology processors.Topology
	Clusters []Cluster
	Codecs   *codecs.Selector
	Starts   Starts
	Log      *slog.Logger
	Health   *health.Registry
	Metrics  prometheus.Registerer
	Host     string // written into records, for people

	WindowSize time.Duration
	// Windows is how many windows a segment holds, K; 64 if zero. It bounds the
	// memory of a source; a generation keeps what it began with.
	Windows int
	Start   Start
	// Poll is how often clusters are asked for their topics; 10 s if zero.
	Poll time.Duration
	// FlushEvery is how often a shard stores what has changed; 1 s if zero.
	FlushEvery time.Duration
	// RowsPerSecond bounds what the instance writes; 20,000 if zero.
	RowsPerSecond int
	// MaxPending is how many rows of a source may wait before it is read no
	// further; 1,000 if zero.
	MaxPending int
	// ProgressEvery is how often progress is looked at; 2 s if zero.
	ProgressEvery time.Duration
	// DisplayGroup names the group under which offsets are committed on the
	// audited clusters, for lag tools; empty for none.
	DisplayGroup string
	// InstanceID makes the group membership static; see shards.Options.
	InstanceID string
	// DrainFor bounds a graceful stop; see shards.Options.
	DrainFor time.Duration
	// GoneFor is how long a source must have been gone before its entries are
	// deleted from the table; 7 days if zero.
	GoneFor time.Duration
	// Now is the clock for that, and for nothing that is counted; time.Now if nil.
	Now   func() time.Time
	Extra []goka.ProcessorOption // for tests
}

func (o *Options) fill() {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	def(&o.Poll, 10*time.Second)
	def(&o.FlushEvery, time.Second)
	def(&o.ProgressEvery, 2*time.Second)
	def(&o.GoneFor, 7*24*time.Hour)
	if o.Now == nil {
		o.Now = time.Now
	}
	num(&o.Windows, 64)
	num(&o.RowsPerSecond, 20000)
	num(&o.MaxPending, 1000)
}

// A Processor is one instance of the counting processor. Make it with New;
// don't forget to Run it.
type Processor struct {
	o        Options
	log      *slog.Logger
	health   *health.Part
	sources  *health.Part
	metrics  *metrics
	dir      *directory
	clusters map[string]*cluster
	group    *shards.Processor

	mu     sync.Mutex
	shards map[*shard]bool
}

// New makes a Processor.
func New(o Options) *Processor {
	o.fill()
	p := &Processor{
		o: o, log: o.Log, health: o.Health.Part("count"), sources: o.Health.Part("count sources"), dir: newDirectory(o.Topology.Shards, o.Log),
		clusters: map[string]*cluster{}, shards: map[*shard]bool{},
	}
	p.metrics = newMetrics(o.Metrics, p)
	for _, c := range o.Clusters {
		p.clusters[c.Name] = &cluster{Cluster: c, health: o.Health.Part("cluster " + c.Name), log: o.Log}
	}
	p.group = shards.New(shards.Options{
		Brokers: o.Brokers, Graph: o.Topology.CountGraph(), Config: o.Config, Worker: p, Log: o.Log, Health: p.health,
		InstanceID: o.InstanceID, DrainFor: o.DrainFor, Extra: o.Extra,
	})
	return p
}

// Run counts until ctx ends, then stores what has been counted, reports it, and
// returns.
func (p *Processor) Run(ctx context.Context) error {
	defer func() {
		for _, c := range p.clusters {
			c.close()
		}
	}()
	report, err := newProgress(p)
	if err != nil {
		return fmt.Errorf("count: connect to the audit cluster %v: %w", p.o.Brokers, err)
	}
	defer report.producer.Close()

	// What reports and watches ends after the group: the last flush is reported.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, c := range p.clusters {
		wg.Go(func() { p.dir.watch(background, c, p.o.Poll) })
	}
	wg.Go(func() { report.run(background) })
	return p.group.Run(ctx)
}

func (p *Processor) enter(s *shard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shards[s] = true
}

func (p *Processor) leave(s *shard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.shards, s)
}

// all lists the sources of all shards of this instance.
func (p *Processor) all() (list []*source, shards int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.shards {
		list = append(list, s.list()...)
	}
	return list, len(p.shards)
}

// counted groups the sources that are being counted by what one progress record
// is about.
func (p *Processor) counted() map[progressKey][]counted {
	topics := map[progressKey][]counted{}
	list, _ := p.all()
	for _, x := range list {
		x.mu.Lock()
		if x.c != nil {
			k := progressKey{x.shard.claim.Owner, x.Cluster, x.Topic, x.TopicID}
			topics[k] = append(topics[k], counted{x, x.c.Durable(), x.reading, x.cluster.InPlace != nil && !x.old})
		}
		x.mu.Unlock()
	}
	return topics
}

// sayUnread says in health which sources should be read and are not.
func (p *Processor) sayUnread(now time.Time) {
	const patience = 10 * time.Second // leaders move, brokers restart
	list, _ := p.all()
	n := 0
	var first *source
	var why error
	for _, x := range list {
		x.mu.Lock()
		if x.reading && now.Sub(x.opened) > patience {
			x.trouble = nil // idle, and open for long
		}
		if x.trouble != nil && now.Sub(x.unread) > patience && p.dir.lists(x.Source) {
			if n++; first == nil || x.prefix < first.prefix {
				first, why = x, x.trouble
			}
		}
		x.mu.Unlock()
	}
	if n == 0 {
		p.sources.OK()
		return
	}
	p.sources.Degraded(fmt.Sprintf("%d sources are not read, among them %s: %v; trying again", n, first.Source, why))
}

// size is for gauges.
type size struct{ shards, sources, rows, stored int }

func (p *Processor) size() (n size) {
	list, shards := p.all()
	n.shards = shards
	for _, x := range list {
		x.mu.Lock()
		if x.c != nil {
			n.sources++
			n.rows += x.c.Len()
			n.stored += x.c.Stored()
		}
		x.mu.Unlock()
	}
	return n
}
