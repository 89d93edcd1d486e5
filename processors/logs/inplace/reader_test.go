package inplace

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

const fetchKey = int16(kmsg.Fetch)

func mustCluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mustReader(t testing.TB, c *kfake.Cluster) *Reader {
	t.Helper()
	r, err := New(Options{Client: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Shutdown(context.Background()) })
	return r
}

func sourceOf(c *kfake.Cluster, topic string, partition int32) audit.Source {
	return audit.Source{Cluster: "c", Topic: topic, TopicID: c.TopicInfo(topic).TopicID, Partition: partition}
}

// A teller is a sink that keeps the values it is told, which are their offsets,
// and what is wrong with them.
type teller struct {
	mu    sync.Mutex
	at    logs.Position
	n     int64
	more  func() bool // whether to go on, after a batch; nil is always
	lost  error
	wrong string
}

func (s *teller) Batch(b *logs.Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range b.Records {
		if want := fmt.Sprint(r.Offset); string(r.Value) != want || r.Offset < s.at.Next {
			s.wrong = fmt.Sprintf("offset %d with value %s after position %d", r.Offset, r.Value, s.at.Next)
		}
		s.n++
		s.at.Next = r.Offset + 1
	}
	if b.Next < s.at.Next {
		s.wrong = fmt.Sprintf("position %d after %d", b.Next, s.at.Next)
	}
	s.at = logs.Position{Next: b.Next, Epoch: b.Epoch, Last: -1}
	return s.more == nil || s.more()
}

func (s *teller) Lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = err
}

func (s *teller) now() (at logs.Position, n int64, lost error, wrong string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.at, s.n, s.lost, s.wrong
}

func awaitThat(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// awaitLoss waits until a source is lost.
func (s *teller) awaitLoss(t testing.TB) error {
	t.Helper()
	awaitThat(t, "a loss", func() bool { _, _, lost, _ := s.now(); return lost != nil })
	return s.lost
}

// Whatever happens to brokers, connections and leaders: every record is handed
// over, once, in order.
func TestNothingIsLostNorDoubled(t *testing.T) {
	const partitions, each, step = 5, 1500, 60
	retriable := []*kerr.Error{kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.KafkaStorageError, kerr.OffsetNotAvailable,
		kerr.UnknownTopicID, kerr.InconsistentTopicID, kerr.UnknownServerError}
	sessions := []*kerr.Error{kerr.FetchSessionIDNotFound, kerr.InvalidFetchSessionEpoch, kerr.FetchSessionTopicIDError, kerr.UnknownServerError}
	happens := map[string]func(c *kfake.Cluster, rng *rand.Rand){
		"leaders move": func(c *kfake.Cluster, _ *rand.Rand) { c.ShufflePartitionLeaders() },
		"partitions are refused": func(c *kfake.Cluster, rng *rand.Rand) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "t", Partitions: []int32{rng.Int32N(partitions)}, Err: retriable[rng.IntN(len(retriable))]})
		},
		"sessions are forgotten": func(c *kfake.Cluster, rng *rand.Rand) {
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, TopLevel: true, Err: sessions[rng.IntN(len(sessions))]})
		},
		"connections break": func(c *kfake.Cluster, _ *rand.Rand) {
			c.ControlKey(fetchKey, func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("cut"), true })
		},
		"metadata is not to be had": func(c *kfake.Cluster, _ *rand.Rand) {
			c.ShufflePartitionLeaders()
			c.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("cut"), true })
		},
		"topics seem to be gone": func(c *kfake.Cluster, _ *rand.Rand) {
			c.ShufflePartitionLeaders()
			c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: "t", Err: kerr.UnknownTopicOrPartition})
		},
	}
	run := func(t *testing.T, seed uint64, happen []func(*kfake.Cluster, *rand.Rand)) {
		rng := rand.New(rand.NewPCG(seed, 11))
		c := mustCluster(t, kfake.NumBrokers(3), kfake.SeedTopics(partitions, "t"))
		r := mustReader(t, c)
		producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(50))
		if err != nil {
			t.Fatal(err)
		}
		defer producer.Close()
		var pauses atomic.Int64
		tellers := make([]*teller, partitions)
		for p := range tellers {
			src := sourceOf(c, "t", int32(p))
			luck := rand.New(rand.NewPCG(seed, uint64(p)))
			tellers[p] = &teller{more: func() bool {
				if luck.IntN(20) > 0 {
					return true
				}
				pauses.Add(1)
				time.AfterFunc(time.Duration(luck.IntN(30))*time.Millisecond, func() { r.Resume(src) })
				return false
			}}
			if err := r.Open(src, logs.At(0), tellers[p]); err != nil {
				t.Fatal(err)
			}
		}
		read := func(least int64) {
			for p, s := range tellers {
				awaitThat(t, fmt.Sprintf("%d records of partition %d", least, p), func() bool {
					_, n, lost, wrong := s.now()
					if lost != nil || wrong != "" {
						t.Fatalf("partition %d: %v %s", p, lost, wrong)
					}
					return n >= least
				})
			}
		}
		for i := range each {
			for p := range int32(partitions) {
				producer.Produce(t.Context(), &kgo.Record{Topic: "t", Partition: p, Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
					if err != nil {
						t.Error(err)
					}
				})
			}
			if i%step > 0 {
				continue
			}
			happen[rng.IntN(len(happen))](c, rng)
			// Some source is closed, and read on where it was.
			p := rng.IntN(partitions)
			src := sourceOf(c, "t", int32(p))
			r.Close(src)
			at, _, _, _ := tellers[p].now()
			if err := r.Open(src, at, tellers[p]); err != nil {
				t.Fatal(err)
			}
			read(int64(i - step)) // it lags, but not far behind
		}
		if err := producer.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		read(each)
		if pauses.Load() == 0 {
			t.Error("nobody paused")
		}
	}
	var all []func(*kfake.Cluster, *rand.Rand)
	for name, f := range happens {
		all = append(all, f)
		t.Run(name, func(t *testing.T) { run(t, 1, []func(*kfake.Cluster, *rand.Rand){f}) })
	}
	t.Run("all of it", func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		run(t, seed, all)
	})
}

// serveBytes has a cluster answer fetches with these bytes, so many times.
func serveBytes(c *kfake.Cluster, times int, batches func() []byte) {
	served := 0
	c.ControlKey(fetchKey, func(req kmsg.Request) (kmsg.Response, error, bool) {
		r := req.(*kmsg.FetchRequest)
		if served++; served > times {
			return nil, nil, false
		}
		c.KeepControl()
		resp := r.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range r.Topics {
			rt := kmsg.NewFetchResponseTopic()
			rt.TopicID = t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewFetchResponseTopicPartition()
				rp.Partition, rp.RecordBatches, rp.LastStableOffset = p.Partition, batches(), 100
				if r.SessionEpoch < 0 { // it is asked what lies there
					another := recipe{base: p.FetchOffset, next: p.FetchOffset + 1}
					rp.RecordBatches = another.build()
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

// produceOne writes a message to partition 0 of the topic t.
func produceOne(t *testing.T, c *kfake.Cluster) {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("0")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// A broker speaks of a source when it has changed. One that is closed and opened again
// before the broker has heard of it hears all the same how it stands, idle as it is.
func TestWhatIsOpenedAgainIsSpokenOf(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	produceOne(t, c)
	r := mustReader(t, c)
	src, from := sourceOf(c, "t", 0), logs.At(0)
	for n := range 4 {
		s := &teller{}
		if err := r.Open(src, from, s); err != nil {
			t.Fatal(err)
		}
		awaitThat(t, fmt.Sprintf("the end to be told, opened %d times before", n), func() bool {
			at, _, lost, _ := s.now()
			if lost != nil {
				t.Fatalf("opened %d times before: %v", n, lost)
			}
			return at.Next == 1
		})
		from = logs.Position{Next: 1, Epoch: 0, Last: 0}
		r.Close(src)
	}
}

func TestDamageOnTheWayIsReadAgain(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	produceOne(t, c)
	serveBytes(c, readTries-1, func() []byte {
		r := recipe{base: 0, next: 1, records: []logs.Record{someRecord(seeded(t, 1), 0, 0)}}
		b := r.build()
		b[len(b)-1] ^= 1
		return b
	})
	s := &teller{}
	if err := mustReader(t, c).Open(sourceOf(c, "t", 0), logs.At(0), s); err != nil {
		t.Fatal(err)
	}
	awaitThat(t, "the record", func() bool { _, n, _, _ := s.now(); return n == 1 })
	if _, _, lost, wrong := s.now(); lost != nil || wrong != "" {
		t.Error(lost, wrong)
	}
}

func TestDamageThatStaysIsTold(t *testing.T) {
	for _, c := range []struct {
		outcome string
		bytes   func() []byte
		check   func(error) bool
	}{
		{"a batch that is not what its checksum says", func() []byte {
			good := recipe{base: 0, next: 1}
			bad := recipe{base: 1, next: 8, records: []logs.Record{someRecord(seeded(t, 1), 3, 0)}}
			after := recipe{base: 8, next: 9}
			b := append(good.build(), bad.build()...)
			b[len(b)-1] ^= 1
			return append(b, after.build()...)
		}, func(err error) bool {
			bad, ok := errors.AsType[*logs.Corrupt](err)
			return ok && bad.From == 1 && bad.To == 8
		}},
		{"a batch with holes that comes alone", func() []byte {
			bad := recipe{base: 0, next: 8, records: []logs.Record{someRecord(seeded(t, 1), 3, 0)}}
			b := bad.build()
			b[len(b)-1] ^= 1
			return b
		}, func(err error) bool {
			bad, ok := errors.AsType[*logs.Corrupt](err)
			return ok && bad.From == 0 && bad.To == 8
		}},
		{"a format of long ago", func() []byte { b := make([]byte, 40); b[11], b[16] = 28, 1; return b },
			func(err error) bool { return errors.Is(err, logs.ErrTooOld) }},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			cluster := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
			serveBytes(cluster, 100, c.bytes)
			s := &teller{}
			r := mustReader(t, cluster)
			src := sourceOf(cluster, "t", 0)
			if err := r.Open(src, logs.At(0), s); err != nil {
				t.Fatal(err)
			}
			if err := s.awaitLoss(t); !c.check(err) {
				t.Error(err)
			}
			if err := r.Open(src, logs.At(0), &teller{}); err != nil {
				t.Errorf("open again: %v", err)
			}
		})
	}
}

func TestABrokerThatCannotTellIsTooOld(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.MaxVersions(kversion.V2_6_0()))
	s := &teller{}
	if err := mustReader(t, c).Open(audit.Source{Topic: "t"}, logs.At(0), s); err != nil {
		t.Fatal(err)
	}
	if err := s.awaitLoss(t); !errors.Is(err, logs.ErrTooOld) {
		t.Error(err)
	}
}

// From 2.7 to 3.0 brokers hold epochs against the log, and know topics by name.
func TestTopicsAreReadByNameWhereTheBrokerHasNoIDs(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(3, "t"), kfake.MaxVersions(kversion.V2_7_0()))
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	r := mustReader(t, c)
	for p := range int32(3) {
		s := &teller{}
		if err := r.Open(audit.Source{Topic: "t", Partition: p}, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		for i := range int64(3) {
			if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: p, Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
			awaitThat(t, "the record", func() bool { _, n, _, _ := s.now(); return n == i+1 })
		}
	}
}

// By name a topic and the one that was made in its place are the same: the older is
// looked for, and found to be another one.
func TestOfTwoTopicsOfOneNameTheOlderIsLookedFor(t *testing.T) {
	r := &Reader{homeless: map[*source]struct{}{}, sought: make(chan struct{}, 1)}
	f := &fetcher{r: r, session: newSession(), woken: make(chan struct{}, 1)}
	f.session.named = true
	older, newer := &source{lead: lead{id: audit.TopicID{1}}}, &source{lead: lead{id: audit.TopicID{2}}}
	f.add(older)
	f.add(newer)
	if _, ok := r.homeless[older]; !ok || older.slot != nil || newer.slot == nil || len(r.homeless) != 1 {
		t.Errorf("looked for: %v", r.homeless)
	}
}

// Kafka 3.1 to 3.9 on ZooKeeper, with the inter-broker protocol of an older one,
// would take ids and gives none.
func TestTopicsAreReadByNameWhereTheyHaveNoIDs(t *testing.T) {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.Metadata), 9)
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.MaxVersions(versions))
	s := &teller{}
	if err := mustReader(t, c).Open(audit.Source{Topic: "t"}, logs.At(0), s); err != nil {
		t.Fatal(err)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for i := range int64(3) {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		awaitThat(t, "the record", func() bool {
			_, n, lost, _ := s.now()
			if lost != nil {
				t.Fatal(lost)
			}
			return n == i+1
		})
	}
}

// What an answer does not speak of is not served by it: a throttled broker speaks of
// nothing.
func TestWhatIsNeverAnsweredIsTold(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
	c.ControlKey(fetchKey, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return req.ResponseKind(), nil, true
	})
	r := mustReader(t, c)
	r.patience = 300 * time.Millisecond
	s := &teller{}
	if err := r.Open(sourceOf(c, "t", 0), logs.At(0), s); err != nil {
		t.Fatal(err)
	}
	if err := s.awaitLoss(t); !errors.Is(err, logs.ErrUnavailable) || !errors.Is(err, errLeftOut) {
		t.Error(err)
	}
}

func TestDenialIsTold(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Metadata, kmsg.Fetch} {
		t.Run(key.Name(), func(t *testing.T) {
			c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "t"))
			c.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Topic: "t", Err: kerr.TopicAuthorizationFailed, Count: -1})
			s := &teller{}
			if err := mustReader(t, c).Open(sourceOf(c, "t", 0), logs.At(0), s); err != nil {
				t.Fatal(err)
			}
			if err := s.awaitLoss(t); !errors.Is(err, logs.ErrDenied) {
				t.Error(err)
			}
		})
	}
}

// What nobody serves is told after a while, and why; it may be opened again.
func TestWhatIsNotServedIsTold(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(2, "t"))
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "t", Partitions: []int32{0}, Err: kerr.KafkaStorageError, Count: -1})
	r := mustReader(t, c)
	r.patience = 300 * time.Millisecond
	s, other := &teller{}, &teller{}
	src := sourceOf(c, "t", 0)
	for src, s := range map[audit.Source]*teller{src: s, sourceOf(c, "t", 1): other} {
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.awaitLoss(t); !errors.Is(err, logs.ErrUnavailable) || !errors.Is(err, kerr.KafkaStorageError) {
		t.Error(err)
	}
	if _, _, lost, _ := other.now(); lost != nil {
		t.Error("the other partition: ", lost)
	}
	fault.Remove()
	again := &teller{}
	if err := r.Open(src, logs.At(0), again); err != nil {
		t.Fatal(err)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("0")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	awaitThat(t, "the record", func() bool { _, n, _, _ := again.now(); return n == 1 })
}

// The broker that goes away is asked again, whatever port it comes back at.
func TestABrokerThatIsReplacedIsFound(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(2), kfake.SeedTopics(1, "t"))
	leader := c.LeaderFor("t", 0)
	s := &teller{}
	if err := mustReader(t, c).Open(sourceOf(c, "t", 0), logs.At(0), s); err != nil {
		t.Fatal(err)
	}
	produce := func(i int64) {
		producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
		if err != nil {
			t.Fatal(err)
		}
		defer producer.Close()
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		awaitThat(t, "the record", func() bool { _, n, _, _ := s.now(); return n == i+1 })
	}
	produce(0)
	if err := c.RemoveNode(leader); err != nil {
		t.Fatal(err)
	}
	produce(1)
	if _, _, err := c.AddNode(leader, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.MoveTopicPartition("t", 0, leader); err != nil {
		t.Fatal(err)
	}
	produce(2)
}

// A follower that is nearer is read from, as long as it serves. Its leader names it
// each time that it is asked by somebody with a rack, whether it serves or not.
func TestWhatIsNearerIsReadFrom(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(2), kfake.SeedTopics(1, "t"))
	leader := c.LeaderFor("t", 0)
	follower := 1 - leader
	c.SetFollowers("t", 0, []int32{follower})
	r, err := New(Options{Client: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Rack("here")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Shutdown(context.Background()) })
	src := sourceOf(c, "t", 0)
	var asked [2]atomic.Int64
	c.ControlKey(fetchKey, func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		f := req.(*kmsg.FetchRequest)
		asked[c.CurrentNode()].Add(1)
		if c.CurrentNode() != leader || f.Rack != "here" || len(f.Topics) == 0 {
			return nil, nil, false
		}
		resp := f.ResponseKind().(*kmsg.FetchResponse)
		rt, rp := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		rt.TopicID, rp.PreferredReadReplica = src.TopicID, follower
		rt.Partitions = append(rt.Partitions, rp)
		resp.Topics = append(resp.Topics, rt)
		return resp, nil, true
	})
	s := &teller{}
	if err := r.Open(src, logs.At(0), s); err != nil {
		t.Fatal(err)
	}
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	produce := func(i int64) {
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		awaitThat(t, "the record", func() bool {
			_, n, lost, wrong := s.now()
			if lost != nil || wrong != "" {
				t.Fatal(lost, wrong)
			}
			return n == i+1
		})
	}
	produce(0)
	if asked[follower].Load() == 0 {
		t.Error("the follower was not asked")
	}
	// After a while the leader is asked whether it still is a good one.
	before := asked[leader].Load()
	r.mu.Lock()
	r.sources[src].follow = time.Now().Add(-2 * followFor)
	r.mu.Unlock()
	produce(1)
	awaitThat(t, "a question to the leader", func() bool { return asked[leader].Load() > before })
	produce(2)
	// One that lags does not have what the leader has: that is no loss.
	refused := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Nodes: []int32{follower}, Topic: "t", Err: kerr.OffsetOutOfRange, Count: -1})
	produce(3)
	awaitThat(t, "a refusal", func() bool { return refused.Hits() > 0 })
	hits := refused.Hits()
	produce(4)
	produce(5)
	if refused.Hits() != hits {
		t.Error("a follower that has refused is asked at once again")
	}
	// After a while it may do.
	refused.Remove()
	before = asked[follower].Load()
	r.mu.Lock()
	r.sources[src].shunned = time.Now().Add(-2 * followFor)
	r.mu.Unlock()
	produce(6)
	awaitThat(t, "a question to the follower", func() bool { return asked[follower].Load() > before })
	produce(7)
	// One that cannot be reached is shunned as well.
	if err := c.RemoveNode(follower); err != nil {
		t.Fatal(err)
	}
	produce(8)
}

// Patience that is used up by a follower is not held against the leader.
func TestTheLeaderIsTriedWhenTheFollowerIsNot(t *testing.T) {
	r := &Reader{rack: "here", patience: time.Second, homeless: map[*source]struct{}{}, sought: make(chan struct{}, 1)}
	s := &source{follow: time.Now(), since: time.Now().Add(-time.Minute)}
	r.seek(s, errLeftOut)
	if time.Since(s.since) > r.patience || !r.leader(s).plain {
		t.Errorf("not served for %s, and to be read as %+v", time.Since(s.since), r.leader(s))
	}
	// Somebody who sends us to followers all the same does not make us wait for ever.
	s.follow, s.since = time.Now(), time.Now().Add(-time.Minute)
	if r.seek(s, errLeftOut); time.Since(s.since) < r.patience {
		t.Error("it is waited for again")
	}
}

// However many brokers there are: what is on its way stays within a bound, and is
// never too little to be worth asking for. Those that are gone take nothing away.
func TestResponsesShareTheirMemory(t *testing.T) {
	for _, c := range []struct {
		bytes, fetchers int
		want            int32
	}{{32 << 20, 1, 8 << 20}, {32 << 20, 4, 8 << 20}, {32 << 20, 16, 2 << 20}, {1 << 20, 4, 256 << 10}, {1 << 20, 100, 128 << 10}} {
		r := &Reader{bytes: c.bytes, fetchers: map[fetcherKey]*fetcher{}}
		for i := range c.fetchers {
			f := &fetcher{session: newSession()}
			f.session.add(&source{}, audit.TopicID{}, 0, place{})
			r.fetchers[fetcherKey{broker: int32(i)}] = f
			gone := &fetcher{session: newSession()}
			r.fetchers[fetcherKey{broker: int32(1000 + i)}] = gone
		}
		if got := r.most(); got != c.want {
			t.Errorf("%d bytes, %d fetchers: %d each, want %d", c.bytes, c.fetchers, got, c.want)
		}
	}
}

func TestShutdownEndsEverything(t *testing.T) {
	c := mustCluster(t, kfake.NumBrokers(3), kfake.SeedTopics(30, "t"))
	r := mustReader(t, c)
	var s teller
	for p := range int32(30) {
		if err := r.Open(sourceOf(c, "t", p), logs.At(0), &s); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := r.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := r.Open(sourceOf(c, "t", 0), logs.At(0), &s); err == nil {
		t.Error("a reader that is shut down opens")
	}
	if _, _, lost, _ := s.now(); lost != nil {
		t.Errorf("a source that was closed was also lost: %v", lost)
	}
}
