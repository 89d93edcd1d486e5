package logs_test

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/logs"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func saramaHolding(t *testing.T, c *kafkatest.Cluster, hold int) *logs.Sarama {
	t.Helper()
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	r, err := logs.NewSarama(c.Brokers(), shards.SourceConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	r.Hold(hold)
	t.Cleanup(func() {
		if err := r.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return r
}

// stutterer pauses after every batch and asks to be resumed.
type stutterer struct {
	sink
	src   audit.Source
	ready chan<- audit.Source
}

func (s *stutterer) Batch(b *logs.Batch) bool {
	s.sink.Batch(b)
	s.ready <- s.src
	return false
}

func TestPausedSourcesThatLetGoMissNothing(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		for _, hold := range []int{0, 1} {
			r := saramaHolding(t, c, hold)
			const partitions, messages = 4, 500
			src := topic(t, c, partitions, nil)
			ready := make(chan audit.Source, partitions*messages)
			all := make([]*stutterer, partitions)
			for p := range all {
				src.Partition = int32(p)
				produce(t, c, numbered(src, 0, messages)...)
				all[p] = &stutterer{src: src, ready: ready}
				if err := r.Open(src, logs.At(0), all[p]); err != nil {
					t.Fatal(err)
				}
			}
			var resumer sync.WaitGroup
			resumer.Go(func() {
				for src := range ready {
					r.Resume(src)
				}
			})
			for _, s := range all {
				s.await(t, "all of it", func() bool { return len(s.got) == messages })
				for i, rec := range s.got { // await has checked the order
					if rec.Offset != int64(i) {
						t.Fatalf("hold %d: record %d has offset %d", hold, i, rec.Offset)
					}
				}
				r.Close(s.src)
			}
			close(ready)
			resumer.Wait()
		}
	})
}

// counting keeps nothing of what it is given, and pauses after the first batch.
type counting struct {
	mu   sync.Mutex
	n    int
	lost error
	free bool
}

func (s *counting) Batch(b *logs.Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n += len(b.Records)
	return s.free
}

func (s *counting) Lost(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = err
}

func TestPausedSourcesHoldBoundedMemory(t *testing.T) {
	c := kafkatest.Kfake(t)
	const partitions, messages, size = 32, 900, 1000
	src := topic(t, c, partitions, nil)
	value := bytes.Repeat([]byte("x"), size)
	for p := range int32(partitions) {
		records := make([]*kgo.Record, messages)
		for i := range records {
			records[i] = &kgo.Record{Topic: src.Topic, Partition: p, Value: value}
		}
		produce(t, c, records...)
	}
	heap := func() int {
		runtime.GC()
		runtime.GC() // what pools hold survives one
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int(m.HeapAlloc)
	}
	before := heap()
	r := saramaHolding(t, c, 1)
	sinks := make([]*counting, partitions)
	for p := range sinks {
		src.Partition = int32(p)
		sinks[p] = &counting{}
		if err := r.Open(src, logs.At(0), sinks[p]); err != nil {
			t.Fatal(err)
		}
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		for !ok() {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s; %d MB more than at the beginning", what, (heap()-before)>>20)
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	all := func(n int) func() bool {
		return func() bool {
			for _, s := range sinks {
				s.mu.Lock()
				enough := s.n >= n && s.lost == nil
				s.mu.Unlock()
				if !enough {
					return false
				}
			}
			return true
		}
	}
	await("a batch of each", all(1))
	// One response may be held: 8 MiB of 8 or 9 partitions. All of them are 28 MB.
	await("what the others were given to be let go", func() bool { return heap()-before < 16<<20 })
	for p, s := range sinks {
		s.mu.Lock()
		s.free = true
		s.mu.Unlock()
		src.Partition = int32(p)
		r.Resume(src)
	}
	await("the rest", all(messages))
}
