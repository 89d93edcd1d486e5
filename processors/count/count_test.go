package count_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/count"
	"github.com/chaperone-audit/chaperone/processors/settings"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

const windowSize = 10 * time.Minute

// cell is where a message counts.
type cell struct {
	cluster, topic string
	partition      int32
	window         int64
}

type tally struct{ count, bytes, noTime uint64 }

// world is an audited cluster with known content, the audit cluster beside it
// on the same broker, and what the audit topic says.
type world struct {
	t        *testing.T
	c        *kafkatest.Cluster
	topology processors.Topology
	prefix   string // of the source topics
	client   *kgo.Client
	rng      *rand.Rand
	inPlace  bool // topics are read in place, not by sarama

	mu    sync.Mutex
	truth map[cell]tally
	best  map[string]*audit.Record // by identity
	prog  map[string]*audit.Record // progress, by topic and owner
	none  map[string]*audit.Record // the newest that says that a cluster does not have a topic, by both
	miss  []*audit.Record
}

func newWorld(t *testing.T, c *kafkatest.Cluster) *world {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	w := &world{t: t, c: c, prefix: kafkatest.Name(t, "src") + ".", rng: rand.New(rand.NewPCG(seed, 1)),
		truth: map[cell]tally{}, best: map[string]*audit.Record{}, prog: map[string]*audit.Record{}, none: map[string]*audit.Record{}}
	w.topology = processors.DefaultTopology()
	w.topology.Prefix = kafkatest.Name(t, "chaperone")
	w.topology.Shards, w.topology.Partitions = 8, 4
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, shards.EnsureTopics(ctx, c.Brokers(), w.config(), int16(c.Nodes()), w.topology.Topics())) // so that one may be away
	w.connect()
	w.follow()
	return w
}

// everywhere runs a test with both readers on both brokers.
func everywhere(t *testing.T, test func(t *testing.T, c *kafkatest.Cluster, w *world)) {
	for _, inPlace := range []bool{false, true} {
		name := "sarama"
		if inPlace {
			name = "in place"
		}
		t.Run(name, func(t *testing.T) {
			kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
				w := newWorld(t, c)
				w.inPlace = inPlace
				test(t, c, w)
			})
		})
	}
}

// connect makes a new producer, which knows partitions added meanwhile.
func (w *world) connect() {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(w.t, err)
	w.t.Cleanup(client.Close)
	w.client = client
}

func (w *world) config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	return c
}

// follow reads the audit topic from its beginning and keeps the highest version
// of each identity.
func (w *world) follow() {
	reader, err := kgo.NewClient(kgo.SeedBrokers(w.c.Brokers()...), kgo.ConsumeTopics(string(w.topology.AuditTopic())))
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.t.Cleanup(func() { cancel(); <-done; reader.Close() })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) { w.take(r) })
		}
	}()
}

func (w *world) take(r *kgo.Record) {
	var rec audit.Record
	if err := json.Unmarshal(r.Value, &rec); err != nil {
		w.t.Errorf("audit record %s: %v", r.Value, err)
		return
	}
	if string(r.Key) != rec.Key() {
		w.t.Errorf("key %s, want %s", r.Key, rec.Key())
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch rec.Kind {
	case audit.KindWindow:
		id := rec.IdentityKey()
		old := w.best[id]
		if old != nil && old.Version == rec.Version && !old.Tally.Tally.Equal(&rec.Tally.Tally) {
			w.t.Errorf("%s version %d says two things", id, rec.Version)
		}
		if old == nil || old.Version < rec.Version {
			w.best[id] = &rec
		}
	case audit.KindProgress:
		if rec.Absent() {
			w.none[rec.Cluster+":"+rec.Topic] = &rec
		} else {
			w.prog[rec.Cluster+rec.Topic+rec.Owner] = &rec
		}
	case audit.KindMissed:
		w.miss = append(w.miss, &rec)
	}
}

// produce appends messages to a partition, out of order by up to 15 minutes.
func (w *world) produce(topic string, partition int32, n int) {
	w.t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		now := time.Now()
		at := now.Add(-time.Duration(w.rng.Int64N(int64(15 * time.Minute))))
		ms := at.UnixMilli()
		value := fmt.Sprintf(`{"id":%d,"user":{"ts":1,"name":"x"},"ts":%d,"amount":%d}`, w.rng.Uint32(), ms, w.rng.IntN(1000))
		noTime := uint64(0)
		if w.rng.IntN(10) == 0 {
			value, ms, noTime = "plain text, no time", now.UnixMilli(), 1
		}
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Key: []byte("k"), Value: []byte(value), Timestamp: now.Truncate(time.Millisecond)}
		k := cell{"c1", topic, partition, audit.WindowAt(ms, int64(windowSize/time.Second)).Start}
		w.mu.Lock()
		x := w.truth[k]
		w.truth[k] = tally{x.count + 1, x.bytes + 1 + uint64(len(value)), x.noTime + noTime}
		w.mu.Unlock()
	}
	must(w.t, w.client.ProduceSync(context.Background(), records...).FirstErr())
}

// said sums up what the audit topic says.
func (w *world) said() map[cell]tally {
	w.mu.Lock()
	defer w.mu.Unlock()
	sum := map[cell]tally{}
	for _, r := range w.best {
		k := cell{r.Cluster, r.Topic, r.Partition, r.Start}
		x := sum[k]
		sum[k] = tally{x.count + r.Tally.Count, x.bytes + r.Tally.Bytes, x.noTime + r.Tally.NoTime}
	}
	return sum
}

// agree waits until the audit topic says the truth and nothing else, for as long
// as it comes nearer to that.
func (w *world) agree() {
	w.t.Helper()
	const patience = 60 * time.Second
	deadline, least := time.Now().Add(patience), math.MaxInt
	for {
		said := w.said()
		w.mu.Lock()
		wrong := 0
		var example string
		for k, want := range w.truth {
			if said[k] != want {
				wrong++
				example = fmt.Sprintf("%+v: want %+v, said %+v", k, want, said[k])
			}
		}
		extra := len(said) - len(w.truth)
		n := len(w.truth)
		w.mu.Unlock()
		if wrong == 0 && extra == 0 {
			w.t.Logf("%d windows agree", n)
			return
		}
		if wrong < least {
			deadline, least = time.Now().Add(patience), wrong
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%d of %d windows wrong, %d more said than there are: %s", wrong, n, extra, example)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// await waits for a condition.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		w.mu.Lock()
		done := ok()
		w.mu.Unlock()
		if done {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain for: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// instance runs one counting processor until stop is called. It ends well, but
// may leave something if the group is being rebalanced just then.
func (w *world) instance(change func(*count.Options)) (stop func()) {
	w.t.Helper()
	i := w.start(change)
	stop = func() {
		err := i.stop()
		if err != nil && !errors.Is(err, shards.ErrLeft) {
			w.t.Errorf("run: %v", err)
		}
		i.balanced(w.t, err == nil)
	}
	w.t.Cleanup(stop)
	return stop
}

// instance is one counting processor that runs.
type instance struct {
	stop    func() error // ends it, and gives what it says in the end
	metrics *prometheus.Registry
	health  *health.Registry
}

func (w *world) start(change func(*count.Options)) *instance {
	w.t.Helper()
	selector, err := codecs.NewSelector(nil, codecs.Standard(), nil, codecs.Bounds{})
	must(w.t, err)
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, cancel := context.WithCancel(context.Background())
	starts, err := settings.Open(ctx, w.c.Brokers(), w.topology.SettingsTopic(), shards.AskConfig(w.config()), shards.ProducerConfig(w.config()), log)
	must(w.t, err)
	metrics, reports := prometheus.NewRegistry(), &health.Registry{}
	o := count.Options{
		Brokers: w.c.Brokers(), Config: w.config, Topology: w.topology, Codecs: selector, Starts: starts, Log: log,
		Health: reports, Metrics: metrics, Host: "test", WindowSize: windowSize, Windows: 3,
		Poll: 200 * time.Millisecond, FlushEvery: 100 * time.Millisecond, ProgressEvery: 200 * time.Millisecond, DisplayGroup: w.prefix + "display",
		Clusters: []count.Cluster{{Name: "c1", Tier: "regional", Datacenter: "dc1", Brokers: w.c.Brokers(), Config: w.config,
			Audited: func(topic string) bool { return len(topic) > len(w.prefix) && topic[:len(w.prefix)] == w.prefix }}},
	}
	if w.inPlace {
		o.Clusters[0].InPlace = func() ([]kgo.Opt, error) { return []kgo.Opt{kgo.SeedBrokers(w.c.Brokers()...)}, nil }
	}
	if change != nil {
		change(&o)
	}
	p := count.New(o)
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		defer starts.Close()
		return <-done
	})
	w.t.Cleanup(func() { _ = stop() })
	return &instance{stop, metrics, reports}
}

// values are what the metrics of an instance say, summed over labels.
func (i *instance) values(t *testing.T) map[string]float64 {
	t.Helper()
	families, err := i.metrics.Gather()
	must(t, err)
	n := map[string]float64{}
	for _, f := range families {
		name := strings.TrimPrefix(f.GetName(), "chaperone_count_")
		for _, m := range f.Metric {
			n[name] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return n
}

// balanced holds the books of an instance that has ended against each other.
func (i *instance) balanced(t *testing.T, drained bool) {
	t.Helper()
	n := i.values(t)
	if accounted := n["messages_total"] + n["replayed_total"] + n["read_again_total"] + n["out_of_order_total"] + n["dropped_total"]; n["consumed_total"] != accounted {
		t.Errorf("%v messages were consumed and %v are accounted for: %v", n["consumed_total"], accounted, n)
	}
	if n["out_of_order_total"]+n["imbalances_total"] > 0 || drained && n["writes_in_flight"]+n["unstored_messages"]+n["rows_waiting"] > 0 {
		t.Errorf("after a stop (nothing left: %t): %v", drained, n)
	}
	list, _ := i.health.Reports()
	for _, r := range list {
		if r.Part == "count books" && r.State != health.OK {
			t.Errorf("a false alarm: %+v", r)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCountsWhatIsThereAndWhatComes(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		orders, clicks := w.prefix+"orders", w.prefix+"clicks"
		must(t, c.CreateTopic(t.Context(), orders, 3, nil))
		for p := range int32(3) {
			w.produce(orders, p, 2000)
		}
		stop := w.instance(nil)
		w.agree()

		// A topic created while counting, and a partition added.
		must(t, c.CreateTopic(t.Context(), clicks, 1, nil))
		w.produce(clicks, 0, 500)
		must(t, c.AddPartitions(t.Context(), orders, 5))
		w.connect()
		w.produce(orders, 4, 700)
		w.produce(orders, 1, 300)
		w.agree()

		// Progress says that all of it has been counted.
		w.await("caught up", func() bool {
			up := 0
			for _, r := range w.prog {
				for _, s := range r.Progress.Sources {
					if s.CaughtUp == audit.CaughtUpYes {
						up++
					}
				}
			}
			return up == 6
		})
		stop()

		// Another instance goes on where this one ended.
		w.produce(orders, 0, 400)
		w.instance(nil)
		w.agree()
	})
}

func TestTwoInstancesShareTheWork(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		orders := w.prefix + "orders"
		must(t, c.CreateTopic(t.Context(), orders, 6, nil))
		stop := w.instance(nil)
		w.produce(orders, 0, 1000)
		w.agree()
		w.instance(nil)
		for p := range int32(6) {
			w.produce(orders, p, 1000)
		}
		stop()
		w.produce(orders, 5, 1000)
		w.agree()
	})
}

// Only of what is read as it is written, and only by a reader that knows when it is.
func TestArrivalIsMeasured(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		orders := w.prefix + "orders"
		must(t, c.CreateTopic(t.Context(), orders, 1, nil))
		const backlog, then = 300, 40
		w.produce(orders, 0, backlog)
		w.instance(nil)
		w.agree()
		measured := func() (n, timed uint64, most int64) {
			for _, r := range w.best {
				timed += r.Tally.Latency.Count() + r.Tally.Latency.Negative
				if a := r.Tally.Arrival; a != nil {
					n, most = n+a.Count()+a.Negative, max(most, a.Max)
				}
			}
			return n, timed, most
		}
		w.await("what was there to be counted without arrival", func() bool { n, timed, _ := measured(); return n == 0 && timed > 0 })
		if !w.inPlace {
			w.produce(orders, 0, then)
			w.agree()
			w.await("sarama not to measure", func() bool { n, _, _ := measured(); return n == 0 })
			return
		}
		for range 20 { // one at a time: until it has noticed that it is level, they are late
			w.produce(orders, 0, then/20)
			w.agree()
		}
		w.await("arrivals", func() bool {
			n, timed, most := measured()
			return n > 0 && n <= then && n <= timed && most > 0 && most < (16*time.Minute).Milliseconds()
		})
	})
}

func TestRecreatedTopicIsAnotherSource(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		orders := w.prefix + "orders"
		must(t, c.CreateTopic(t.Context(), orders, 1, nil))
		w.instance(nil)
		w.produce(orders, 0, 300)
		w.agree()
		must(t, c.DeleteTopic(t.Context(), orders))
		must(t, c.CreateTopic(t.Context(), orders, 1, nil))
		w.connect()
		w.produce(orders, 0, 200)
		w.agree()
		w.await("the tail of the old topic to be called unknown", func() bool {
			for _, r := range w.miss {
				switch r.Missed.Reason {
				case audit.MissedRecreated:
					return true
				case audit.MissedTruncated: // the new one is shorter, and no cut of the old one
					t.Errorf("%s is said to be cut: offsets %d to %d", r.Source(), r.Missed.From, r.Missed.To)
				}
			}
			return false
		})
	})
}

func TestRetentionAheadOfTheCounterIsMissed(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		orders := w.prefix + "orders"
		must(t, c.CreateTopic(t.Context(), orders, 1, nil))
		stop := w.instance(nil)
		w.produce(orders, 0, 300)
		w.agree()
		stop()
		truth := map[cell]tally{}
		for k, v := range w.truth {
			truth[k] = v
		}
		w.produce(orders, 0, 500)
		must(t, c.DeleteRecords(t.Context(), orders, 0, 800))
		w.truth = truth // of those nothing can be known
		w.instance(nil)
		w.produce(orders, 0, 100)
		w.agree()
		w.await("a missed range of 500", func() bool {
			return len(w.miss) > 0 && w.miss[0].Missed.Reason == audit.MissedRetention && w.miss[0].Missed.From == 300 && w.miss[0].Missed.To == 800
		})
	})
}

func TestLatestCountsWhatComesAfterTheFirstStart(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		latest := func(o *count.Options) { o.Start = count.Latest() }
		orders, clicks := w.prefix+"orders", w.prefix+"clicks"
		must(t, c.CreateTopic(t.Context(), orders, 2, nil))
		w.produce(orders, 0, 300)
		clear(w.truth)
		time.Sleep(5 * time.Millisecond) // timestamps are milliseconds: what follows must be later
		stop := w.instance(latest)
		w.await("progress of both partitions", func() bool {
			for _, r := range w.prog {
				if len(r.Progress.Sources) == 2 {
					return true
				}
			}
			return false
		})
		w.produce(orders, 0, 50)
		w.produce(orders, 1, 50)
		must(t, c.CreateTopic(t.Context(), clicks, 1, nil))
		w.produce(clicks, 0, 70) // created later: all of it
		w.agree()
		stop()
		w.instance(latest)
		w.produce(orders, 1, 10)
		w.agree()
	})
}

// What is counted of a compacted topic depends on when it is read; who adds up
// must know.
func TestProgressSaysThatATopicIsCompacted(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		w := newWorld(t, c)
		orders, states := w.prefix+"orders", w.prefix+"states"
		must(t, c.CreateTopic(t.Context(), orders, 1, nil))
		must(t, c.CreateTopic(t.Context(), states, 1, map[string]string{"cleanup.policy": "compact,delete"}))
		w.instance(nil)
		w.produce(orders, 0, 10)
		w.produce(states, 0, 10)
		w.agree()
		said := map[string]bool{}
		w.await("progress of both topics", func() bool {
			for _, r := range w.prog {
				said[r.Topic] = r.Progress.Compacted
			}
			return len(said) == 2
		})
		if said[orders] || !said[states] {
			t.Errorf("said to be compacted: %v", said)
		}
	})
}

// A broker that is too old to be read in place is read by sarama.
func TestOldBrokersAreCountedAllTheSame(t *testing.T) {
	c := kafkatest.Kfake(t)
	w := newWorld(t, c)
	orders := w.prefix + "orders"
	must(t, c.CreateTopic(t.Context(), orders, 3, nil))
	w.produce(orders, 0, 500)
	stop := w.instance(func(o *count.Options) {
		o.Clusters[0].InPlace = func() ([]kgo.Opt, error) {
			return []kgo.Opt{kgo.SeedBrokers(c.Brokers()...), kgo.MaxVersions(kversion.V2_6_0())}, nil
		}
	})
	w.agree()
	w.produce(orders, 1, 500)
	w.agree()
	stop()
}

// Behind the last message may lie what nobody counts: markers, and transactions
// that were aborted. A reader that sees them knows that nothing is missing.
func TestProgressIsExactWhereTheReaderIs(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, w *world) {
		if !w.inPlace {
			t.Skip("sarama does not see them")
		}
		orders := w.prefix + "orders"
		must(t, c.CreateTopic(t.Context(), orders, 1, nil))
		w.produce(orders, 0, 100)
		tx, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID(w.prefix), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		must(t, err)
		defer tx.Close()
		records := func() []*kgo.Record {
			return []*kgo.Record{{Topic: orders, Value: []byte("a")}, {Topic: orders, Value: []byte("b")}}
		}
		must(t, tx.BeginTransaction())
		must(t, tx.ProduceSync(t.Context(), records()...).FirstErr())
		must(t, tx.EndTransaction(t.Context(), kgo.TryAbort)) // offsets 100 to 102, the last of them the marker
		w.instance(nil)
		w.agree()
		caughtUp := func(next, high int64) {
			t.Helper()
			w.await(fmt.Sprint("caught up at ", next), func() bool {
				for _, r := range w.prog {
					s := r.Progress.Sources[0]
					if s.Next < s.End && s.CaughtUp != audit.CaughtUpNo {
						t.Errorf("at %d of %d it says %s", s.Next, s.End, s.CaughtUp)
					}
					if s.Next == next && s.End == next && s.HighWatermark == high && s.CaughtUp == audit.CaughtUpYes {
						return true
					}
				}
				return false
			})
		}
		caughtUp(103, 103)
		must(t, tx.BeginTransaction())
		must(t, tx.ProduceSync(t.Context(), records()...).FirstErr()) // 103 and 104, open
		w.produce(orders, 0, 50)                                      // behind it, and not stable
		w.mu.Lock()
		clear(w.prog)
		w.mu.Unlock()
		caughtUp(103, 155)
		must(t, tx.EndTransaction(t.Context(), kgo.TryAbort))
		caughtUp(156, 156)
		w.agree()
	})
}

// What an unclean election takes away has been counted, and what comes in its
// place is another log: the windows around it are unknown, and it is said where.
func TestALogThatWasCutBeginsAGeneration(t *testing.T) {
	c := kafkatest.Three(t)
	w := newWorld(t, c)
	w.inPlace = true
	orders := w.prefix + "orders"
	must(t, c.CreateTopic(t.Context(), orders, 1, nil))
	w.produce(orders, 0, 100)
	w.instance(nil)
	w.agree()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	must(t, c.ElectUnclean(ctx, orders, 0, func(context.Context) error {
		w.produce(orders, 0, 40)
		w.agree()
		return nil
	}))
	w.connect()
	w.produce(orders, 0, 200) // the log is longer than ever
	w.agree()                 // what was lost stays counted: it was there
	w.await("what was cut to be said", func() bool {
		for _, r := range w.miss {
			// It ends where the ledger was: at 140, or at 100 if that of the last flush was lost with its session.
			if m := r.Missed; m.Reason == audit.MissedTruncated && m.From == 100 && m.To <= 140 && r.Generation == 1 {
				return true
			}
		}
		return false
	})
	w.await("caught up with what is there now", func() bool {
		for _, r := range w.prog {
			if s := r.Progress.Sources[0]; s.Next == 300 && s.CaughtUp == audit.CaughtUpYes && s.Generation == 1 {
				return true
			}
		}
		return false
	})
}
