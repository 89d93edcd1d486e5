package sink

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
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/sinks"
)

// Options of a Processor. Those up to Store must be set.
type Options struct {
	Brokers  []string              // of the audit cluster
	Config   func() *sarama.Config // of the audit cluster, fresh each time
	Topology processors.Topology
	Log      *slog.Logger
	Health   *health.Registry
	Metrics  prometheus.Registerer
	Store    sinks.Sink // stays the caller's to close, after Run

	// A batch is written when it has so many records (20,000 if zero), so many
	// bytes (32 MiB if zero), or is so old (1 s if zero).
	BatchRecords int
	BatchBytes   int
	BatchAge     time.Duration
	// FetchBytes is how much brokers may send at a time; see shards.Options.
	FetchBytes int
	// WriteTimeout bounds one attempt to write; 1 min if zero.
	WriteTimeout time.Duration
	// RetryAfter is the pause after a first failure (250 ms if zero). It doubles
	// up to RetryAtMost (30 s if zero), and each is shortened at random, to half.
	RetryAfter, RetryAtMost time.Duration
	// InstanceID makes the group membership static; see shards.Options.
	InstanceID string
	// DrainFor bounds a graceful stop; see shards.Options.
	DrainFor time.Duration
	Extra    []goka.ProcessorOption // for tests
}

func (o *Options) fill() {
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	dur := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	num(&o.BatchRecords, 20000)
	num(&o.BatchBytes, 32<<20)
	dur(&o.BatchAge, time.Second)
	dur(&o.WriteTimeout, time.Minute)
	dur(&o.RetryAfter, 250*time.Millisecond)
	dur(&o.RetryAtMost, 30*time.Second)
}

// A Processor is one instance of a sinking processor, of rows of one type. Make it with
// New, NewVerdicts or NewAlerts; don't forget to Run it.
type Processor[T any] struct {
	o       Options
	stream  *stream[T]
	metrics *metrics
	aside   *aside.List
	books   *health.Alarm
	batcher *batcher[T]
	group   *shards.Processor

	mu     sync.Mutex
	undone []undone
}

// newProcessor makes a Processor, with the parts "sink", "sink store", "sink records"
// and "sink books" in the health registry, if that is the name of the stream.
func newProcessor[T any](o Options, s *stream[T]) *Processor[T] {
	o.fill()
	p := &Processor[T]{
		o: o, stream: s, aside: aside.New(o.Log, o.Health.Part(s.name+" records")),
		books: health.NewAlarm(o.Health.Part(s.name+" books"), o.Log, "sums that do not balance"),
	}
	p.metrics = newMetrics(o.Metrics, s.name, s.topic)
	p.batcher = newBatcher(&p.o, s, p.aside, p.metrics, o.Health.Part(s.name+" store"))
	p.group = shards.New(shards.Options{
		Brokers: o.Brokers, Graph: s.graph, Config: o.Config, Worker: p, Log: o.Log, Health: o.Health.Part(s.name),
		FetchBytes: o.FetchBytes, InstanceID: o.InstanceID, DrainFor: o.DrainFor, Extra: o.Extra,
	})
	return p
}

// Run writes until ctx ends, then writes what it has read, commits, and returns.
// If the store is away then, what was read is left for the next owner, and said in
// an error that wraps shards.ErrLeft.
func (p *Processor[T]) Run(ctx context.Context) error {
	defer p.aside.Close()
	defer p.books.Close()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { p.batcher.run(inner) })
	if err := p.group.Run(ctx); err != nil {
		return err
	}
	return p.sayLeft()
}

// Aside lists the newest records that are not in the store because it rejects
// them or they cannot be read, and says how many there were since the start.
func (p *Processor[T]) Aside() ([]aside.Item, uint64) { return p.aside.Items() }
