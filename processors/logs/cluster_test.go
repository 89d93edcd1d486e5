package logs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// onThree runs a test with every reader on an Apache Kafka of three nodes, which
// is reached by a network that can be made bad.
func onThree(t *testing.T, test func(t *testing.T, c *kafkatest.Cluster, r reader)) {
	for _, kind := range readers {
		t.Run(kind.name, func(t *testing.T) {
			c := kafkatest.Three(t)
			test(t, c, mustOpen(t, kind.open, c.ProxiedBrokers(), kind.exact))
		})
	}
}

// A keeper is a sink that opens its source again where it was lost, as counting
// does, for a cause that passes.
type keeper struct {
	sink
	r   logs.Reader
	src audit.Source

	lostTimes atomic.Int64
	wrong     atomic.Pointer[string]
}

func (k *keeper) open(t *testing.T) {
	t.Helper()
	if err := k.r.Open(k.src, logs.At(0), k); err != nil {
		t.Fatal(err)
	}
}

func (k *keeper) Batch(b *logs.Batch) bool {
	for _, r := range b.Records {
		if want := fmt.Sprint(r.Offset); string(r.Value) != want {
			k.say("offset %d has value %s", r.Offset, r.Value)
		}
	}
	return k.sink.Batch(b)
}

func (k *keeper) Lost(err error) {
	if !errors.Is(err, logs.ErrUnavailable) {
		k.say("%v", err)
		return
	}
	k.lostTimes.Add(1)
	k.mu.Lock()
	at := logs.Position{Next: k.next, Epoch: k.epoch, Last: -1}
	k.mu.Unlock()
	time.AfterFunc(time.Second, func() {
		if err := k.r.Open(k.src, at, k); err != nil {
			k.say("open again: %v", err)
		}
	})
}

func (k *keeper) say(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	k.wrong.CompareAndSwap(nil, &s)
}

// Whatever happens to brokers and to the network: every record, once, in order.
func TestLeadersMoveAndBrokersDie(t *testing.T) {
	onThree(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		const partitions = 3
		src := topic(t, c, partitions, map[string]string{"min.insync.replicas": "2"})
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		keepers := make([]*keeper, partitions)
		for p := range keepers {
			keepers[p] = &keeper{r: r, src: src}
			keepers[p].src.Partition = int32(p)
			keepers[p].open(t)
		}

		writing, stop := context.WithCancel(ctx)
		var written [partitions]atomic.Int64
		var writers sync.WaitGroup
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(100*time.Millisecond))
		must(err)
		defer client.Close()
		for p := range partitions {
			writers.Go(func() {
				for i := int64(0); writing.Err() == nil; i++ {
					if err := client.ProduceSync(ctx, &kgo.Record{Topic: src.Topic, Partition: int32(p), Value: fmt.Append(nil, i)}).FirstErr(); err != nil {
						t.Errorf("partition %d: %v", p, err)
						return
					}
					written[p].Store(i + 1)
				}
			})
		}
		// more waits until each partition has been read further than it is now.
		more := func(what string) {
			t.Helper()
			for p, k := range keepers {
				n := written[p].Load() + 1
				k.await(t, fmt.Sprintf("more of partition %d, %s", p, what), func() bool {
					if wrong := k.wrong.Load(); wrong != nil {
						t.Fatalf("partition %d, %s: %s", p, what, *wrong)
					}
					return int64(len(k.got)) >= n
				})
			}
		}
		more("nothing has happened")
		for p := range partitions {
			node, _, err := c.Leader(ctx, src.Topic, p)
			must(err)
			must(c.MoveLeader(ctx, src.Topic, p, (node+1)%3))
		}
		more("leaders have moved")
		node, _, err := c.Leader(ctx, src.Topic, 0)
		must(err)
		must(c.Node(node).Kill())
		more("a broker is dead")
		must(c.Node(node).Start(ctx))
		must(c.WaitInSync(ctx, src.Topic))
		more("it is back")
		c.Network().Cut()
		time.Sleep(200 * time.Millisecond)
		must(c.Network().Heal())
		more("the network was cut")
		c.Network().HalfOpen()
		time.Sleep(200 * time.Millisecond)
		must(c.Network().Heal())
		more("the network was half open")
		stop()
		writers.Wait()
		for p, k := range keepers {
			k.await(t, fmt.Sprintf("all of partition %d", p), func() bool { return int64(len(k.got)) == written[p].Load() })
			if n := k.lostTimes.Load(); n > 0 && r.exact {
				t.Errorf("partition %d was lost %d times; what passes should not be", p, n)
			}
		}
	})
}

// An unclean election takes the end of a log away, that was read; and others are
// written in its place.
func TestALogThatWasCutIsTold(t *testing.T) {
	onThree(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		if !r.exact {
			t.Skip("sarama knows no epochs: that the log was cut is noticed by what lies there, by whoever remembers it")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
		defer cancel()
		src := topic(t, c, 1, map[string]string{"min.insync.replicas": "2"})
		produce(t, c, numbered(src, 0, 10)...)
		s := &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		var at logs.Position
		err := c.ElectUnclean(ctx, src.Topic, 0, func(context.Context) error {
			client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
			if err != nil {
				return err
			}
			defer client.Close()
			if err := client.ProduceSync(ctx, numbered(src, 10, 5)...).FirstErr(); err != nil {
				return err
			}
			s.await(t, "what will be lost", func() bool { return len(s.got) == 15 && s.next == 15 })
			at = logs.Position{Next: s.next, Epoch: s.epoch, Last: 14}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.await(t, "the loss", func() bool { return s.lost != nil })
		told := func(err error, when string) {
			t.Helper()
			if cut, ok := errors.AsType[*logs.Truncated](err); !ok || cut.End != 10 {
				t.Errorf("%s: %v, want the log cut at 10", when, err)
			}
		}
		told(s.lost, "while it was read")
		opened := func(when string) {
			t.Helper()
			s := &sink{}
			if err := r.Open(src, at, s); err != nil {
				t.Fatal(err)
			}
			s.await(t, "the loss", func() bool { return s.lost != nil })
			told(s.lost, when)
			if len(s.got) > 0 {
				t.Errorf("%s: %d records of another log", when, len(s.got))
			}
		}
		opened("opened behind its end")
		produce(t, c, numbered(src, 100, 20)...)
		opened("opened after it has grown again")
		again := &sink{}
		if err := r.Open(src, logs.At(10), again); err != nil {
			t.Fatal(err)
		}
		again.await(t, "what was written instead", func() bool { return len(again.got) == 20 && again.next == 30 && again.epoch > at.Epoch })
	})
}
