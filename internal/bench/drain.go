package main

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/tidwall/gjson"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// raw reads with sarama and does nothing else.
func (p *pass) raw(ctx context.Context) (r result, err error) {
	consumer, err := sarama.NewConsumer(p.list(), shards.SourceConfig(config()))
	if err != nil {
		return r, err
	}
	var read atomic.Uint64
	failed := make(chan error, 1)
	for partition := range p.partitions {
		go func() {
			pc, err := consumer.ConsumePartition(p.topics, int32(partition), sarama.OffsetOldest)
			if err != nil {
				failed <- err
				return
			}
			go func() {
				for err := range pc.Errors() {
					fmt.Fprintln(os.Stderr, "raw:", err)
				}
			}()
			// What is in the channel is taken without looking at the clock or at
			// the counter: this is the cheapest way to read it.
			messages := pc.Messages()
			for range messages {
				n := uint64(1)
				for more := len(messages); more > 0; more-- {
					<-messages
					n++
				}
				read.Add(n)
			}
		}()
	}
	r, err = p.profiled(ctx, read.Load)
	select {
	case failure := <-failed:
		err = failure
	default:
	}
	r.memory()
	return r, err
}

// franz reads with franz-go, as much at a time as the others do, and does nothing
// else.
func (p *pass) franz(ctx context.Context) (result, error) {
	return p.poll(ctx, func(*kgo.Record) {})
}

// loop is what is written by hand to count messages by event time: franz-go,
// gjson, a map. It stores nothing, and forgets all when it ends.
func (p *pass) loop(ctx context.Context) (result, error) {
	windows := map[int32]map[int64]uint64{}
	for partition := range p.partitions {
		windows[int32(partition)] = map[int64]uint64{}
	}
	r, err := p.poll(ctx, func(m *kgo.Record) {
		ts := gjson.GetBytes(m.Value, "ts").Int()
		windows[m.Partition][ts-ts%windowMs]++
	})
	r.Said = truth{}
	for partition, counts := range windows {
		for start, n := range counts {
			r.Said.add(cellOf(p.topics, partition, start/1000), n, 0)
		}
	}
	return r, err
}

// poll has each message looked at by one goroutine.
func (p *pass) poll(ctx context.Context, look func(*kgo.Record)) (r result, err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.list()...), kgo.ConsumeTopics(p.topics), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(1<<20), kgo.FetchMaxWait(250*time.Millisecond))
	if err != nil {
		return r, err
	}
	var read atomic.Uint64
	polling, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for polling.Err() == nil {
			fetches := client.PollFetches(polling)
			n := uint64(0)
			fetches.EachRecord(func(m *kgo.Record) {
				look(m)
				n++
			})
			read.Add(n)
		}
	}()
	r, err = p.profiled(ctx, read.Load)
	stop()
	<-done
	r.memory()
	client.Close()
	return r, err
}
