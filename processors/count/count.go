package count

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
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
	// PendingRows is how many rows of closed segments, of all sources together, may
	// wait before sources that add to them are read no further; 100,000 if zero. With
	// what a segment holds of each source, it bounds the memory.
	PendingRows int
	// FetchBytes is how much all brokers of all clusters together may send at a time;
	// 8 MiB of each broker if zero. Each has an equal share of it, 128 KiB at least.
	FetchBytes int
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
	// Now is the clock for that, and for when messages are read: arrival latencies are
	// all that is counted by a clock. time.Now if nil.
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
	num(&o.PendingRows, 100_000)
}

// A Processor is one instance of the counting processor. Make it with New;
// don't forget to Run it.
type Processor struct {
	o        Options
	log      *slog.Logger
	health   *health.Part
	sources  *health.Part
	books    *health.Alarm
	metrics  *metrics
	dir      *directory
	clusters map[string]*cluster
	group    *shards.Processor
	pressure pressure

	mu         sync.Mutex
	shards     map[*shard]bool
	openOwner  string // the session that openShards is about
	openShards int    // shards whose sources have all been opened
}

// New makes a Processor.
func New(o Options) *Processor {
	o.fill()
	p := &Processor{
		o: o, log: o.Log, health: o.Health.Part("count"), sources: o.Health.Part("count sources"), dir: newDirectory(o.Topology.Shards, o.Log),
		books:    health.NewAlarm(o.Health.Part("count books"), o.Log, "sums that do not balance"),
		clusters: map[string]*cluster{}, shards: map[*shard]bool{}, pressure: pressure{most: int64(o.PendingRows)},
	}
	p.metrics = newMetrics(o.Metrics, p)
	for _, c := range o.Clusters {
		p.clusters[c.Name] = &cluster{Cluster: c, health: o.Health.Part("cluster " + c.Name), log: o.Log, fetchBytes: o.FetchBytes / len(o.Clusters)}
	}
	p.group = shards.New(shards.Options{
		Brokers: o.Brokers, Graph: o.Topology.CountGraph(), Config: o.Config, Worker: p, Log: o.Log, Health: p.health,
		FetchBytes: o.FetchBytes, InstanceID: o.InstanceID, DrainFor: o.DrainFor, Extra: o.Extra,
	})
	return p
}

// Run counts until ctx ends, then stores what has been counted, reports it, and
// returns. What it could not store in time it says in an error that wraps
// shards.ErrLeft.
func (p *Processor) Run(ctx context.Context) error {
	defer p.books.Close()
	report, err := p.reporter(ctx)
	if err != nil {
		return nil // ctx has ended, and nothing was counted
	}

	// What reports and watches ends after the group: the last flush is reported.
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	for _, c := range p.clusters {
		wg.Go(func() { p.dir.watch(background, c, p.o.Poll) })
	}
	wg.Go(func() {
		report.run(background)
		report.producer.Close()
	})
	err = p.group.Run(ctx)
	if left := p.sayLeft(); left != nil {
		err = left
	}
	cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		wg.Wait()
		for _, c := range p.clusters {
			c.close()
		}
	}()
	select {
	case <-ended:
	case <-time.After(endWithin):
		p.log.Warn("connections did not end in time and are left behind", "after", endWithin)
	}
	return err
}

// endWithin bounds how long the end waits for clusters that do not answer, when
// everything that can be stored is.
const endWithin = 4 * time.Second

// reporter connects to the audit cluster, for as long as it takes.
func (p *Processor) reporter(ctx context.Context) (*progress, error) {
	for {
		report, err := newProgress(p)
		if err == nil {
			return report, nil
		}
		p.health.Down(fmt.Sprintf("connect to the audit cluster %v: %v; trying again", p.o.Brokers, err))
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(retryAfter):
		}
	}
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

// claimed lists the shards of this instance.
func (p *Processor) claimed() []*shard {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Keys(p.shards))
}

// all lists the sources of all shards of this instance.
func (p *Processor) all() (list []*source, shards int) {
	claimed := p.claimed()
	for _, s := range claimed {
		list = append(list, s.list()...)
	}
	return list, len(claimed)
}

// counted groups the sources that are being counted by what one progress record
// is about.
func (p *Processor) counted() map[progressKey][]counted {
	topics := map[progressKey][]counted{}
	list, _ := p.all()
	for _, x := range list {
		x.mu.Lock()
		if x.c != nil {
			k := progressKey{x.shard.claim.Owner, x.Cluster, x.subject.Topic, x.subject.TopicID}
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
	p.sources.Degraded(fmt.Sprintf("sources that are not read: %d, the first %s: %v; trying again", n, first.Source, why))
}
