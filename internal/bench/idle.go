package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/figures"
	"github.com/chaperone-audit/chaperone/processors/logs"
	"github.com/chaperone-audit/chaperone/processors/logs/inplace"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

const (
	idleTopics     = 40
	idlePartitions = 100              // of each
	idleFor        = 10 * time.Second // nothing comes for so long
	trickleFor     = 10 * time.Second // then a little
	trickleRate    = 1000             // a second
)

// idle reads many partitions that have a message or a few each, until all have
// come; does nothing for a while; and is told by the parent that messages come
// now and then.
func (p *pass) idle(ctx context.Context) (r result, err error) {
	var reader logs.Reader
	if p.kind == "idle-sarama" {
		reader, err = logs.NewSarama(p.list(), shards.SourceConfig(config()))
	} else {
		client, _ := p.franzConfig()
		reader, err = inplace.New(inplace.Options{Client: client})
	}
	if err != nil {
		return r, err
	}
	ids, err := topicIDs(ctx, p.list(), p.topics)
	if err != nil {
		return r, err
	}
	var n counting
	begin := time.Now()
	for topic, id := range ids {
		for partition := range int32(idlePartitions) {
			if err := reader.Open(audit.Source{Cluster: "bench", Topic: topic, TopicID: id, Partition: partition}, logs.At(0), &n); err != nil {
				return r, err
			}
		}
	}
	if err := n.await(ctx, p.have); err != nil {
		return r, err
	}
	r.Opened = time.Since(begin)
	time.Sleep(2 * time.Second) // what opening has left behind
	used := cpuTime()
	time.Sleep(idleFor)
	r.Idle = (cpuTime() - used).Seconds() / idleFor.Seconds()

	begin, used = time.Now(), cpuTime()
	fmt.Println("idle")
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return r, fmt.Errorf("wait for the parent: %w", err)
	}
	if err := n.await(ctx, p.have+int64(p.messages)); err != nil {
		return r, err
	}
	r.Messages, r.Wall, r.CPU = p.messages, time.Since(begin), cpuTime()-used
	r.memory()
	return r, reader.Shutdown(ctx)
}

// counting is a sink that counts, for any number of sources.
type counting struct{ atomic.Int64 }

func (n *counting) Batch(b *logs.Batch) bool { n.Add(int64(len(b.Records))); return true }
func (n *counting) Lost(err error)           { fmt.Fprintln(os.Stderr, "idle:", err) }

func (n *counting) await(ctx context.Context, total int64) error {
	for n.Load() < total {
		select {
		case <-ctx.Done():
			return fmt.Errorf("at %d messages of %d: %w", n.Load(), total, context.Cause(ctx))
		case <-time.After(look):
		}
	}
	return nil
}

// topicIDs are those of the topics that begin so.
func topicIDs(ctx context.Context, brokers []string, prefix string) (map[string]audit.TopicID, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, client) // of all topics
	if err != nil {
		return nil, err
	}
	ids := map[string]audit.TopicID{}
	for _, t := range resp.Topics {
		if strings.HasPrefix(*t.Topic, prefix) {
			ids[*t.Topic] = t.TopicID
		}
	}
	return ids, nil
}

// idle compares what it costs to wait.
func (r *runner) idle(ctx context.Context, rounds int) error {
	const prefix = "idle-"
	order := fillOrder{Partitions: idlePartitions, Messages: idlePartitions, Size: small}
	for i := range idleTopics {
		order.Topics = append(order.Topics, fillTopic{fmt.Sprintf("%s%02d", prefix, i), "none"})
	}
	n := idleTopics * idlePartitions
	fmt.Printf("filling %d partitions\n", n)
	if _, err := r.fill(ctx, order); err != nil {
		return err
	}
	by := map[string]results{}
	have := int64(n)
	const more = trickleRate * int64(trickleFor/time.Second)
	for i := range rounds {
		for _, kind := range []string{"idle-sarama", "idle-inplace"} {
			res, err := r.child(ctx, pass{kind: kind, topics: prefix, have: have, messages: uint64(more)}, func() error { return r.trickle(ctx, order.Topics) })
			if err != nil {
				return err
			}
			fmt.Printf("%d %-12s opened in %s, idle %.4f CPUs, %.1f us/msg at %.0f a second, peak %d MB\n", i, kind, res.Opened.Round(time.Millisecond), res.Idle, res.cost(), res.rate(), res.Peak>>20)
			by[kind] = append(by[kind], res)
			have += more
		}
	}
	s, x := by["idle-sarama"], by["idle-inplace"]
	figures.Print(fmt.Sprintf("open-%d-partitions-sarama", n), "seconds", figures.Median(s.opened()), figures.Aim{})
	figures.Print(fmt.Sprintf("open-%d-partitions", n), "seconds", figures.Median(x.opened()), figures.AtMost(2))
	figures.Print("idle-cpu-sarama", "CPUs while nothing comes", figures.Median(s.idles()), figures.Aim{})
	figures.Print("idle-cpu-ratio", "in place, of sarama", figures.Median(x.idles())/figures.Median(s.idles()), figures.AtMost(0.5))
	figures.Print("trickle-cpu-sarama", fmt.Sprintf("us/message at %d a second", trickleRate), figures.Median(s.costs()), figures.Aim{})
	figures.Print("trickle-cpu-ratio", "in place, of sarama", figures.Median(x.costs())/figures.Median(s.costs()), figures.AtMost(0.5))
	return nil
}

// trickle writes now and then into one of the partitions.
func (r *runner) trickle(ctx context.Context, topics []fillTopic) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		return err
	}
	defer client.Close()
	rng := rand.New(rand.NewPCG(2, 2))
	value := document(rng, time.Now().UnixMilli(), 0, fillOrder{Size: small})
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	var failed atomic.Pointer[error]
	for range int(trickleFor / (10 * time.Millisecond)) {
		<-tick.C
		for range trickleRate / 100 {
			client.Produce(ctx, &kgo.Record{Topic: topics[rng.IntN(len(topics))].Name, Partition: rng.Int32N(idlePartitions), Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.CompareAndSwap(nil, &err)
				}
			})
		}
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return fmt.Errorf("trickle: %w", *err)
	}
	return nil
}
