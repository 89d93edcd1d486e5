package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// A topic is one that is audited, and how it is written to.
type topic struct {
	name       string
	cluster    string // home or away
	partitions int
	rate       float64 // messages per second
	shape      shape
	codec      string // declared in the configuration; empty: none
	config     map[string]string
	kind       kind
}

// A kind says what happens to a topic, and so what may be expected of its counts.
type kind int

const (
	plain         kind = iota // nothing: every window is exact
	transactional             // written in transactions, some aborted: exact, by what can be read committed
	compacted                 // messages may vanish before they are counted
	dropped                   // retention overtakes the counter: what is missed is said
	recreated                 // deleted and made again: the end of the old one is unknown
	unclean                   // loses acknowledged messages in an unclean election
)

// traffic writes to topics until it is told to end.
type traffic struct {
	truth    *truth
	clusters map[string]*kafkatest.Cluster
	clients  map[string]*kgo.Client // by cluster

	mu     sync.Mutex
	topics []topic
	ids    map[string]audit.TopicID // by cluster and topic
	stop   map[string]func()        // by cluster and topic; ends and waits

	aborted atomic.Int64 // transactions
}

func newTraffic(t *truth, clusters map[string]*kafkatest.Cluster) (*traffic, error) {
	w := &traffic{truth: t, clusters: clusters, clients: map[string]*kgo.Client{}, ids: map[string]audit.TopicID{}, stop: map[string]func(){}}
	for name, c := range clusters {
		client, err := w.client(c)
		if err != nil {
			w.close()
			return nil, err
		}
		w.clients[name] = client
	}
	return w, nil
}

func (w *traffic) client(c *kafkatest.Cluster, more ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(5 * time.Millisecond), kgo.MetadataMinAge(250 * time.Millisecond), kgo.MetadataMaxAge(5 * time.Second),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression())}, more...)...)
	if err != nil {
		return nil, fmt.Errorf("producer for %v: %w", c.Brokers(), err)
	}
	return client, nil
}

func (w *traffic) close() {
	for _, c := range w.clients {
		c.Close()
	}
}

func key(cluster, topic string) string { return cluster + "/" + topic }

// create makes a topic, and begins to write to it.
func (w *traffic) create(ctx context.Context, t topic, seed uint64) error {
	c := w.clusters[t.cluster]
	if err := persist(ctx, kerr.TopicAlreadyExists, func(ctx context.Context) error { return c.CreateTopic(ctx, t.name, t.partitions, t.config) }); err != nil {
		return err
	}
	var id audit.TopicID
	if err := persist(ctx, nil, func(ctx context.Context) (err error) { id, err = c.TopicID(ctx, t.name); return err }); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.kindOf(t.cluster, t.name) < 0 {
		w.topics = append(w.topics, t)
	}
	w.ids[key(t.cluster, t.name)] = id
	w.begin(t, seed)
	return nil
}

// begin is called with the lock held.
func (w *traffic) begin(t topic, seed uint64) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if t.kind == transactional {
			w.transact(ctx, t, seed)
		} else {
			w.flow(ctx, t, seed)
		}
	}()
	w.stop[key(t.cluster, t.name)] = func() { cancel(); <-done }
}

// pause ends the writing to a topic and waits for what is in flight. resume
// begins again, with so many partitions.
func (w *traffic) pause(cluster, name string) {
	w.mu.Lock()
	stop := w.stop[key(cluster, name)]
	delete(w.stop, key(cluster, name))
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
}

func (w *traffic) resume(cluster, name string, partitions int, seed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.topics {
		if t := &w.topics[i]; t.cluster == cluster && t.name == name {
			t.partitions = partitions
			w.begin(*t, seed)
		}
	}
}

// end ends all writing, and waits until what is in flight is acknowledged. If
// that takes longer than ctx, it is given up, and may be there or not.
func (w *traffic) end(ctx context.Context) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, t := range w.list() {
			w.pause(t.cluster, t.name)
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		w.close() // fails what is in flight
		<-done
		return fmt.Errorf("wait for the last acknowledgements: %w", context.Cause(ctx))
	}
}

func (w *traffic) list() []topic {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]topic(nil), w.topics...)
}

// kindOf is called with the lock held; -1 is an unknown topic.
func (w *traffic) kindOf(cluster, name string) kind {
	for _, t := range w.topics {
		if t.cluster == cluster && t.name == name {
			return t.kind
		}
	}
	return -1
}

func (w *traffic) id(cluster, name string) audit.TopicID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ids[key(cluster, name)]
}

// pulse is how often a topic gets messages: several at once, as busy producers send.
const pulse = 40 * time.Millisecond

// flow writes to a topic until ctx ends, and waits until all of it is acknowledged.
func (w *traffic) flow(ctx context.Context, t topic, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 3))
	id := w.id(t.cluster, t.name)
	var flight sync.WaitGroup
	defer flight.Wait()
	tick := time.NewTicker(pulse)
	defer tick.Stop()
	due := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for due += t.rate * pulse.Seconds(); due >= 1; due-- {
			w.send(t, id, int32(rng.IntN(t.partitions)), rng, &flight)
		}
	}
}

// send writes one message; the truth hears of it when it is acknowledged.
func (w *traffic) send(t topic, id audit.TopicID, partition int32, rng *rand.Rand, flight *sync.WaitGroup) {
	r, event, class := t.shape.make(rng, t.name, partition, time.Now())
	flight.Add(1)
	w.clients[t.cluster].Produce(context.Background(), r, func(r *kgo.Record, err error) {
		defer flight.Done()
		if err != nil {
			return // it may be there all the same: the recount will tell
		}
		w.truth.add(audit.Source{Cluster: t.cluster, Topic: t.name, TopicID: id, Partition: r.Partition}, w.truth.message(r, event, class, t.codec != ""))
	})
}

// burst writes n messages to a partition and waits until they are acknowledged.
func (w *traffic) burst(t topic, partition int32, n int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 4))
	id := w.id(t.cluster, t.name)
	var flight sync.WaitGroup
	for range n {
		w.send(t, id, partition, rng, &flight)
	}
	flight.Wait()
}

// transact writes to a topic in transactions, a third of which it aborts. The
// truth of such a topic is what can be read committed in the end.
func (w *traffic) transact(ctx context.Context, t topic, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 5))
	for ctx.Err() == nil {
		client, err := w.client(w.clusters[t.cluster], kgo.TransactionalID(fmt.Sprintf("torture-%s-%x", t.name, seed)), kgo.TransactionTimeout(20*time.Second))
		if err == nil {
			err = w.transactions(ctx, client, t, rng)
			client.Close()
		}
		if err != nil && ctx.Err() == nil {
			select { // a broker is away: begin anew, under the same name
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond):
			}
		}
	}
}

func (w *traffic) transactions(ctx context.Context, client *kgo.Client, t topic, rng *rand.Rand) error {
	for ctx.Err() == nil {
		if err := client.BeginTransaction(); err != nil {
			return err
		}
		n := 1 + rng.IntN(40)
		results := make(chan error, n)
		for range n {
			r, _, _ := t.shape.make(rng, t.name, int32(rng.IntN(t.partitions)), time.Now())
			client.Produce(context.WithoutCancel(ctx), r, func(_ *kgo.Record, err error) { results <- err })
		}
		var failed error
		for range n {
			failed = errors.Join(failed, <-results)
		}
		end := kgo.TryCommit
		if failed != nil || rng.IntN(3) == 0 {
			end = kgo.TryAbort
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		err := client.EndTransaction(limit, end)
		cancel()
		if err != nil {
			return err
		}
		if end == kgo.TryAbort {
			w.aborted.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(float64(n) / t.rate * float64(time.Second))):
		}
	}
	return nil
}
