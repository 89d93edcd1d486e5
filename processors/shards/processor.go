package shards

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"

	"github.com/chaperone-audit/chaperone/internal/health"
)

// Options of a Processor. Brokers, Graph, Config, Worker and Log must be set.
type Options struct {
	Brokers []string // of the audit cluster
	// Graph is the goka group: one input, whose callback is Callback.
	Graph *goka.GroupGraph
	// Config gives a fresh configuration with what the user sets: version, TLS,
	// SASL, client id, timeouts. The rest is set here.
	Config func() *sarama.Config
	Worker Worker
	Log    *slog.Logger
	Health *health.Part
	// FetchBytes is how much all brokers together may send at a time, of the input,
	// and of the table; 8 MiB of each broker if zero.
	FetchBytes int
	// InstanceID, if set, makes the membership static (KIP-345): a restart within
	// the session timeout causes no rebalance. Unique among running instances.
	InstanceID string
	// DrainFor bounds how long a stop waits for the last writes; 10 s if zero. To
	// end goka's processor may take a few seconds more.
	DrainFor time.Duration
	// Extra goka options, for tests.
	Extra []goka.ProcessorOption
}

// A Processor runs one goka processor group on this instance, and builds goka's
// processor anew whenever it gives up. Make one with New; don't forget to Run it.
type Processor struct {
	o        Options
	input    string
	table    string
	draining chan struct{}
	current  atomic.Pointer[run]

	sessions, restarts atomic.Int64

	mu   sync.Mutex
	last error // of a worker
}

// New makes a Processor.
func New(o Options) *Processor {
	p := &Processor{o: o, draining: make(chan struct{})}
	p.input = o.Graph.InputStreams()[0].Topic()
	if t := o.Graph.GroupTable(); t != nil {
		p.table = t.Topic()
	}
	if p.o.DrainFor == 0 {
		p.o.DrainFor = 10 * time.Second
	}
	return p
}

// Sessions counts the sessions that began, Restarts how often goka gave up.
func (p *Processor) Sessions() int64 { return p.sessions.Load() }
func (p *Processor) Restarts() int64 { return p.restarts.Load() }

// Run works claims until ctx ends, then lets the workers drain, at most for
// DrainFor, then returns nil. A goka processor that does not end soon after, as
// when its producer waits for a broker that is away, is left behind.
func (p *Processor) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.keepRunning(ctx, inner)
	}()
	<-ctx.Done()
	close(p.draining)
	if r := p.current.Load(); r != nil {
		r.wait(p.o.DrainFor)
	}
	cancel()
	select {
	case <-ended:
	case <-time.After(endWithin):
		p.o.Log.Warn("the processor did not end in time and is left behind", "after", endWithin)
	}
	return nil
}

// endWithin is how long goka may take to end once nothing is to be written.
const endWithin = 4 * time.Second

// keepRunning runs goka's processor until ctx ends; the one that runs then ends
// with inner. goka ends a processor on any trouble with a broker; that is healed
// by building another, after a pause that grows to 10 s.
func (p *Processor) keepRunning(ctx, inner context.Context) {
	const least, most = time.Second, 10 * time.Second
	pause := least
	for ctx.Err() == nil {
		sessions, begin := p.sessions.Load(), time.Now()
		err := p.once(inner)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errEnded
		}
		p.restarts.Add(1)
		if werr := p.lastFailure(); werr != nil {
			err = fmt.Errorf("%w (%w)", err, werr)
		}
		reason := oneLine(err)
		p.o.Health.Down(fmt.Sprintf("group %s: %s; trying again", p.o.Graph.Group(), reason))
		p.o.Log.Warn("processor ended, building it anew", "err", reason, "pause", pause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		if p.sessions.Load() > sessions && time.Since(begin) > most {
			pause = least
		} else {
			pause = min(2*pause, most)
		}
	}
}

// oneLine is the text of an error without the line breaks that goka's lists of
// errors have.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

func (p *Processor) fail(err error) {
	p.mu.Lock()
	p.last = err
	p.mu.Unlock()
	p.o.Health.Degraded(err.Error())
	p.o.Log.Error("worker failed", "err", err)
}

func (p *Processor) lastFailure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.last
	p.last = nil
	return err
}

// run is one life of goka's processor.
type run struct {
	client sarama.Client // for questions to the coordinator

	mu     sync.Mutex
	stores map[int32]*Store
	left   map[int32]bool // claims not yet drained
	empty  chan struct{}  // signalled when left may have become empty
}

func (r *run) store(partition int32) *Store {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stores[partition]
}

// begin forgets the former session. A store of it may hold what was never acknowledged.
func (r *run) begin(claims []int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.stores)
	clear(r.left)
	for _, c := range claims {
		r.left[c] = true
	}
}

func (r *run) drained(claim int32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.left, claim)
	if len(r.left) == 0 {
		select {
		case r.empty <- struct{}{}:
		default:
		}
	}
}

// wait returns when all claims have drained, or after the time.
func (r *run) wait(atMost time.Duration) {
	deadline := time.After(atMost)
	for {
		r.mu.Lock()
		n := len(r.left)
		r.mu.Unlock()
		if n == 0 {
			return
		}
		select {
		case <-r.empty:
		case <-deadline:
			return
		}
	}
}

func (p *Processor) once(ctx context.Context) error {
	r := &run{stores: map[int32]*Store{}, left: map[int32]bool{}, empty: make(chan struct{}, 1)}
	client, err := sarama.NewClient(p.o.Brokers, AskConfig(p.o.Config()))
	if err != nil {
		return fmt.Errorf("connect to the audit cluster %v: %w", p.o.Brokers, err)
	}
	defer client.Close()
	r.client = client
	if err := p.checkPartitions(client); err != nil {
		return err
	}
	proc, err := p.build(r)
	if err != nil {
		return err
	}
	p.current.Store(r)
	defer p.current.Store(nil)
	return proc.Run(ctx)
}

// checkPartitions: with other partition counts records would go to wrong tables.
func (p *Processor) checkPartitions(client sarama.Client) error {
	in, err := client.Partitions(p.input)
	if err != nil {
		return fmt.Errorf("topic %s: %w", p.input, err)
	}
	if p.table == "" {
		return nil
	}
	table, err := client.Partitions(p.table)
	if err != nil {
		return fmt.Errorf("topic %s: %w", p.table, err)
	}
	if len(in) != len(table) {
		return fmt.Errorf("topics %s and %s have %d and %d partitions and must have the same number; a table cannot be grown in place: use a new audit.prefix",
			p.input, p.table, len(in), len(table))
	}
	return nil
}

// build makes goka's processor. The builders change the configuration that they
// get, so each gets its own.
func (p *Processor) build(r *run) (*goka.Processor, error) {
	tm := goka.NewTopicManagerConfig()
	tm.NoCreate = true
	opts := append([]goka.ProcessorOption{
		goka.WithLogger(gokaLog{p.o.Log}),
		goka.WithHasher(NewHasher),
		goka.WithStorageBuilder(func(_ string, partition int32) (storage.Storage, error) {
			s := NewStore()
			r.mu.Lock()
			defer r.mu.Unlock()
			r.stores[partition] = s
			return s, nil
		}),
		goka.WithConsumerGroupBuilder(func(brokers []string, name, clientID string) (sarama.ConsumerGroup, error) {
			g, err := sarama.NewConsumerGroup(brokers, name, p.share(r, GroupConfig(p.o.Config(), p.o.InstanceID)))
			if err != nil {
				return nil, fmt.Errorf("consumer group %s: %w", name, err)
			}
			return &group{g, p, r}, nil
		}),
		goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(p.share(r, TableConfig(p.o.Config())))),
		goka.WithProducerBuilder(goka.ProducerBuilderWithConfig(ProducerConfig(p.o.Config()))),
		goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(AskConfig(p.o.Config()), tm)),
		goka.WithRebalanceCallback(func(a goka.Assignment) {
			claims := make([]int32, 0, len(a))
			for partition := range a {
				claims = append(claims, partition)
			}
			r.begin(claims)
		}),
	}, p.o.Extra...)
	proc, err := goka.NewProcessor(p.o.Brokers, p.o.Graph, opts...)
	if err != nil {
		return nil, fmt.Errorf("goka: %w", err)
	}
	return proc, nil
}

func (p *Processor) share(r *run, c *sarama.Config) *sarama.Config {
	return ShareFetch(c, p.o.FetchBytes, len(r.client.Brokers()))
}

// Callback is the whole of the goka callback of a group: nothing is decided or
// merged here. out is the group's first output, empty if it has none.
func Callback(out goka.Stream) goka.ProcessCallback {
	return func(ctx goka.Context, msg any) {
		h := ctx.Headers()
		if key, ok := h[headerEmitKey]; ok {
			to, value := out, any(h[headerEmit])
			if topic, ok := h[headerEmitTo]; ok {
				to = goka.Stream(topic)
			}
			if _, ok := h[headerUnsay]; ok {
				value = nil // a tombstone
			}
			ctx.Emit(to, string(key), value)
		}
		if _, ok := h[headerDelete]; ok {
			ctx.Delete()
			return
		}
		if _, ok := h[headerKeep]; ok {
			return
		}
		value, ok := msg.([]byte)
		if !ok {
			ctx.Fail(errors.New("a message that is no bytes"))
		}
		ctx.SetValue(value)
	}
}

// gokaLog sends goka's chatter to our log, as debug messages.
type gokaLog struct{ l *slog.Logger }

func (g gokaLog) Print(a ...any)            { g.l.Debug(fmt.Sprint(a...)) }
func (g gokaLog) Println(a ...any)          { g.l.Debug(fmt.Sprintln(a...)) }
func (g gokaLog) Printf(f string, a ...any) { g.l.Debug(fmt.Sprintf(f, a...)) }
