package logs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/logs"
	"github.com/chaperone-audit/chaperone/processors/logs/inplace"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// The suite is for every Reader, on the embedded broker and on Apache Kafka.
var readers = []struct {
	name string
	open func(brokers []string) (logs.Reader, error)
	// exact says that the reader knows positions, epochs and ends.
	exact bool
}{
	{"sarama", func(brokers []string) (logs.Reader, error) {
		c := sarama.NewConfig()
		c.Version = sarama.V2_8_0_0
		return logs.NewSarama(brokers, shards.SourceConfig(c))
	}, false},
	{"in place", func(brokers []string) (logs.Reader, error) {
		return inplace.New(inplace.Options{Client: []kgo.Opt{kgo.SeedBrokers(brokers...), kgo.ClientID("chaperone-test")}})
	}, true},
}

// reader is a Reader of the suite in a test.
type reader struct {
	logs.Reader
	exact bool
}

func everywhere(t *testing.T, test func(t *testing.T, c *kafkatest.Cluster, r reader)) {
	for _, kind := range readers {
		t.Run(kind.name, func(t *testing.T) {
			kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) { test(t, c, mustOpen(t, kind.open, c.Brokers(), kind.exact)) })
		})
	}
}

func mustOpen(t *testing.T, open func([]string) (logs.Reader, error), brokers []string, exact bool) reader {
	t.Helper()
	r, err := open(brokers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return reader{r, exact}
}

// sink keeps copies of what it is given, and pauses when told to.
type sink struct {
	mu      sync.Mutex
	got     []logs.Record
	next    int64
	epoch   int32
	stable  int64
	start   int64
	inside  bool
	pauseAt int // pause once so many have come; 0 never
	lost    error
	closed  bool
	faults  []string
}

func (s *sink) Batch(b *logs.Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inside || s.lost != nil || s.closed {
		s.faults = append(s.faults, "called while it must not be")
	}
	for _, r := range b.Records {
		r.Key, r.Value, r.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), bytes.Clone(r.Headers)
		if n := len(s.got); n > 0 && s.got[n-1].Offset >= r.Offset {
			s.faults = append(s.faults, fmt.Sprintf("offset %d after %d", r.Offset, s.got[n-1].Offset))
		}
		s.got = append(s.got, r)
		if r.Offset >= b.Next {
			s.faults = append(s.faults, fmt.Sprintf("offset %d in a batch that ends before %d", r.Offset, b.Next))
		}
	}
	if b.Next < s.next {
		s.faults = append(s.faults, fmt.Sprintf("position %d after %d", b.Next, s.next))
	}
	s.next, s.epoch, s.stable, s.start = b.Next, b.Epoch, b.Stable, b.Start
	return s.pauseAt == 0 || len(s.got) < s.pauseAt
}

func (s *sink) Lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = err
}

func (s *sink) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		s.mu.Lock()
		done, faults, lost, n := ok(), s.faults, s.lost, len(s.got)
		s.mu.Unlock()
		if len(faults) > 0 {
			t.Fatal(strings.Join(faults, "; "))
		}
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s: %d records, lost: %v", what, n, lost)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func topic(t *testing.T, c *kafkatest.Cluster, partitions int, config map[string]string) audit.Source {
	t.Helper()
	name := kafkatest.Name(t, "logs")
	c.MustCreateTopic(t, name, partitions, config)
	id, err := c.TopicID(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return audit.Source{Cluster: "c", Topic: name, TopicID: id}
}

func produce(t *testing.T, c *kafkatest.Cluster, records ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func numbered(src audit.Source, from, n int) (list []*kgo.Record) {
	for i := range n {
		list = append(list, &kgo.Record{Topic: src.Topic, Partition: src.Partition, Value: fmt.Appendf(nil, "%d", from+i)})
	}
	return list
}

func TestReadsInOrderWhatIsThereAndWhatComes(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		produce(t, c, numbered(src, 0, 1000)...)
		s := &sink{}
		if err := r.Open(src, logs.At(200), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "800 records", func() bool { return len(s.got) == 800 && s.next == 1000 })
		produce(t, c, numbered(src, 1000, 50)...)
		s.await(t, "50 more", func() bool { return len(s.got) == 850 && s.next == 1050 })
		for i, rec := range s.got {
			if want := int64(200 + i); rec.Offset != want || string(rec.Value) != fmt.Sprint(want) {
				t.Fatalf("record %d: offset %d, value %s", i, rec.Offset, rec.Value)
			}
		}
		if err := r.Open(src, logs.At(0), &sink{}); err == nil {
			t.Error("a source could be opened twice")
		}
	})
}

func TestHandsOverEverythingOfARecord(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, map[string]string{"max.message.bytes": "4000000"})
		at := time.UnixMilli(1790000000123)
		big := bytes.Repeat([]byte("x"), 3<<20) // larger than a fetch asks for
		produce(t, c,
			&kgo.Record{Topic: src.Topic, Key: []byte("k"), Value: []byte("v"), Timestamp: at, Headers: []kgo.RecordHeader{{Key: "a", Value: []byte("1")}, {Key: "b"}}},
			&kgo.Record{Topic: src.Topic, Value: []byte{}, Key: nil},
			&kgo.Record{Topic: src.Topic, Key: []byte{}, Value: nil},
			&kgo.Record{Topic: src.Topic, Value: big},
		)
		s := &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "4 records", func() bool { return len(s.got) == 4 })
		first := s.got[0]
		if string(first.Key) != "k" || string(first.Value) != "v" || first.Time != at.UnixMilli() {
			t.Errorf("first: %q %q %d", first.Key, first.Value, first.Time)
		}
		if v, ok := first.Headers.Get("a"); !ok || string(v) != "1" {
			t.Errorf("header a: %q %v", v, ok)
		}
		if v, ok := first.Headers.Get("b"); !ok || v != nil {
			t.Errorf("header b: %q %v, want null", v, ok)
		}
		if x := s.got[1]; x.Key != nil || len(x.Value) != 0 {
			t.Errorf("second: %v %v", x.Key, x.Value)
		}
		if x := s.got[2]; len(x.Key) != 0 || x.Value != nil {
			t.Errorf("third: %v %v, want a null value", x.Key, x.Value)
		}
		if len(s.got[3].Value) != len(big) {
			t.Errorf("the large one has %d bytes", len(s.got[3].Value))
		}
	})
}

func TestNullAndEmptyAreToldApart(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		produce(t, c, &kgo.Record{Topic: src.Topic, Key: []byte{}, Value: []byte{}}, &kgo.Record{Topic: src.Topic})
		seen := make(chan [2]bool, 2)
		if err := r.Open(src, logs.At(0), sinkFunc(func(b *logs.Batch) {
			for _, rec := range b.Records {
				seen <- [2]bool{rec.Key == nil, rec.Value == nil}
			}
		})); err != nil {
			t.Fatal(err)
		}
		if a, b := <-seen, <-seen; a != [2]bool{false, false} || b != [2]bool{true, true} {
			t.Errorf("nulls of the empty record %v, of the null one %v", a, b)
		}
	})
}

type sinkFunc func(*logs.Batch)

func (f sinkFunc) Batch(b *logs.Batch) bool { f(b); return true }
func (f sinkFunc) Lost(error)               {}

func TestPausesAndGoesOn(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 2, nil)
		other := src
		other.Partition = 1
		produce(t, c, numbered(src, 0, 5000)...)
		produce(t, c, numbered(other, 0, 5000)...)
		paused, free := &sink{pauseAt: 1}, &sink{}
		for x, s := range map[audit.Source]*sink{src: paused, other: free} {
			if err := r.Open(x, logs.At(0), s); err != nil {
				t.Fatal(err)
			}
		}
		free.await(t, "all of the other partition", func() bool { return len(free.got) == 5000 })
		paused.await(t, "something", func() bool { return len(paused.got) > 0 })
		paused.mu.Lock()
		n := len(paused.got)
		paused.pauseAt = 0
		paused.mu.Unlock()
		if n == 5000 {
			t.Fatal("it did not pause")
		}
		r.Resume(other) // not paused: nothing happens
		r.Resume(src)
		paused.await(t, "the rest", func() bool { return len(paused.got) == 5000 })
	})
}

func TestNothingComesAfterClose(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		produce(t, c, numbered(src, 0, 100)...)
		s := &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "records", func() bool { return len(s.got) > 0 })
		r.Close(src)
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		r.Close(src) // again is no error
		produce(t, c, numbered(src, 100, 100)...)
		again := &sink{}
		if err := r.Open(src, logs.At(0), again); err != nil {
			t.Fatal(err)
		}
		again.await(t, "all of it", func() bool { return len(again.got) == 200 })
		s.await(t, "no call after Close", func() bool { return s.lost == nil })
	})
}

// A source that is lost is closed, or opened again, while its last call is under
// way: that waits for the call.
func TestNothingOvertakesTheLastCall(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		for _, again := range []bool{false, true} {
			src := topic(t, c, 1, nil)
			last := slowLoser{begun: make(chan struct{}), end: make(chan struct{})}
			if err := r.Open(src, logs.At(1000), &last); err != nil { // it does not have that
				t.Fatal(err)
			}
			<-last.begun
			returned := make(chan error, 1)
			go func() {
				if again {
					returned <- r.Open(src, logs.At(0), &sink{})
				} else {
					r.Close(src)
					returned <- nil
				}
			}()
			select {
			case <-returned:
				t.Errorf("again %t: it has not waited", again)
			case <-time.After(50 * time.Millisecond): // it cannot be seen waiting
			}
			close(last.end)
			if err := <-returned; err != nil {
				t.Errorf("again %t: %v", again, err)
			}
			r.Close(src)
		}
	})
}

// slowLoser takes its time to hear that it is lost.
type slowLoser struct{ begun, end chan struct{} }

func (s *slowLoser) Batch(*logs.Batch) bool { return true }
func (s *slowLoser) Lost(error)             { close(s.begun); <-s.end }

func TestSaysThatAnOffsetIsOutOfRange(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		produce(t, c, numbered(src, 0, 100)...)
		if err := c.DeleteRecords(t.Context(), src.Topic, 0, 50); err != nil {
			t.Fatal(err)
		}
		for _, from := range []int64{10, 101} {
			s := &sink{}
			if err := r.Open(src, logs.At(from), s); err != nil {
				t.Fatal(err)
			}
			s.await(t, "the loss", func() bool { return s.lost != nil })
			if out, ok := errors.AsType[*logs.OutOfRange](s.lost); !ok || out.Offset != from {
				t.Errorf("from %d: %v", from, s.lost)
			}
		}
	})
}

func TestSaysThatATopicDoesNotExist(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		src.Partition = 7
		s := &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "the loss", func() bool { return s.lost != nil })
		if !errors.Is(s.lost, logs.ErrGone) {
			t.Errorf("lost: %v", s.lost)
		}
	})
}

func TestAbortedTransactionsAreNotHandedOver(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID(kafkatest.Name(t, "tx")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		for i, commit := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit} {
			if err := client.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := client.ProduceSync(t.Context(), numbered(src, i*10, 10)...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := client.EndTransaction(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
		}
		s := &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "two transactions", func() bool { return len(s.got) == 20 })
		if s.got[9].Offset != 9 || string(s.got[10].Value) != "20" {
			t.Errorf("got %d %s", s.got[9].Offset, s.got[10].Value)
		}
	})
}

func TestOpensManyIdleSourcesAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		const n = 2000
		src := topic(t, c, n, nil)
		sinks := make([]*sink, n)
		for p := range sinks {
			sinks[p] = &sink{}
			src.Partition = int32(p)
			if err := r.Open(src, logs.At(0), sinks[p]); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range []int32{0, n / 2, n - 1} {
			src.Partition = p
			produce(t, c, numbered(src, 0, 1)...)
			sinks[p].await(t, "a record", func() bool { return len(sinks[p].got) == 1 })
		}
	})
}

func TestUnknownIsSaid(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		if r.exact {
			t.Skip("this reader knows")
		}
		src := topic(t, c, 1, nil)
		produce(t, c, numbered(src, 0, 1)...)
		batches := make(chan logs.Batch, 1)
		var kind codecs.TimeType
		if err := r.Open(src, logs.At(0), sinkFunc(func(b *logs.Batch) { kind = b.Records[0].TimeType; batches <- *b })); err != nil {
			t.Fatal(err)
		}
		if b := <-batches; b.Stable != -1 || b.Start != -1 || b.Epoch != -1 || kind != codecs.TimeUnknown {
			t.Errorf("%+v, time type %d: sarama cannot know these", b, kind)
		}
	})
}
