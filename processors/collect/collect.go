package collect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/internal/aside"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// Options of a Processor. Those up to Metrics must be set.
type Options struct {
	Brokers  []string              // of the audit cluster
	Config   func() *sarama.Config // of the audit cluster, fresh each time
	Topology processors.Topology
	Log      *slog.Logger
	Health   *health.Registry
	Metrics  prometheus.Registerer

	// Horizon is how long after its end a window is kept, by the log's time; 48 h
	// if zero. What comes later is for the sink's store alone.
	Horizon time.Duration
	// Judge says how windows are judged; its Horizon is this one.
	Judge judge.Options
	// FlushEvery is how often changes are stored; 500 ms if zero.
	FlushEvery time.Duration
	// MaxPending is how many changes of a partition may wait before it is read no
	// further; 20,000 if zero.
	MaxPending int
	// PendingBytes is how much of changes may wait, of all partitions of the instance
	// together, each with its share; 64 MiB if zero. As much again may be in flight.
	PendingBytes int
	// FetchBytes is how much brokers may send at a time; see shards.Options.
	FetchBytes int
	// InstanceID makes the group membership static; see shards.Options.
	InstanceID string
	// DrainFor bounds a graceful stop; see shards.Options.
	DrainFor time.Duration
	Extra    []goka.ProcessorOption // for tests
}

// DefaultHorizon is what Options overrides.
const DefaultHorizon = 48 * time.Hour

func (o *Options) fill() {
	if o.Horizon == 0 {
		o.Horizon = DefaultHorizon
	}
	if o.FlushEvery == 0 {
		o.FlushEvery = 500 * time.Millisecond
	}
	if o.MaxPending == 0 {
		o.MaxPending = 20000
	}
	if o.PendingBytes == 0 {
		o.PendingBytes = 64 << 20
	}
}

// A Processor is one instance of the collecting processor. Make it with New;
// don't forget to Run it.
type Processor struct {
	o       Options
	metrics *metrics
	aside   *aside.List
	books   *health.Alarm
	group   *shards.Processor

	mu     sync.Mutex
	claims map[*claim]bool
	undone []undone
}

// New makes a Processor, with the parts "collect", "collect records" and
// "collect books" in the health registry.
func New(o Options) *Processor {
	o.fill()
	p := &Processor{
		o: o, aside: aside.New(o.Log, o.Health.Part("collect records")), claims: map[*claim]bool{},
		books: health.NewAlarm(o.Health.Part("collect books"), o.Log, "sums that do not balance"),
	}
	p.metrics = newMetrics(o.Metrics, p)
	p.group = shards.New(shards.Options{
		Brokers: o.Brokers, Graph: o.Topology.CollectGraph(), Config: o.Config, Worker: p, Log: o.Log, Health: o.Health.Part("collect"),
		FetchBytes: o.FetchBytes, InstanceID: o.InstanceID, DrainFor: o.DrainFor, Extra: o.Extra,
	})
	return p
}

// Run collects until ctx ends, then stores what is left, and returns. What it
// could not store in time it says in an error that wraps shards.ErrLeft.
func (p *Processor) Run(ctx context.Context) error {
	defer p.aside.Close()
	defer p.books.Close()
	if err := p.group.Run(ctx); err != nil {
		return err
	}
	return p.sayLeft()
}

// Aside lists the newest records that could not be collected, and says how many
// there were since the start.
func (p *Processor) Aside() ([]aside.Item, uint64) { return p.aside.Items() }

// Work collects one partition; it is for the group, which calls it.
func (p *Processor) Work(ctx context.Context, c *shards.Claim) error {
	w := newClaim(p, c)
	p.mu.Lock()
	p.claims[w] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.claims, w)
		p.mu.Unlock()
	}()
	return w.work(ctx)
}

// size is what an instance, or a claim of it, has at one moment.
type size struct {
	partitions, identities, followed int
	waiting, inFlight                int // changes
}

func (p *Processor) size() (n size) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.partitions = len(p.claims)
	for w := range p.claims {
		if of := w.size.Load(); of != nil {
			n.identities += of.identities
			n.followed += of.followed
			n.waiting += of.waiting
			n.inFlight += of.inFlight
		}
	}
	return n
}
