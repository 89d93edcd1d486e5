package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// A copier stands in for MirrorMaker 2 on embedded brokers: it copies the topics of a
// regional cluster into the aggregate, with keys, headers, record timestamps and
// partitions. It keeps no offsets: it begins with the clusters, and ends with them.
type copier struct {
	from, to *kgo.Client
	faults   *faults
	truth    *truths
}

func newCopier(from, to []string, f *faults, t *truths) (*copier, error) {
	reader, err := kgo.NewClient(kgo.SeedBrokers(from...), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	writer, err := kgo.NewClient(kgo.SeedBrokers(to...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(5*time.Millisecond))
	if err != nil {
		reader.Close()
		return nil, err
	}
	return &copier{reader, writer, f, t}, nil
}

func (c *copier) close() {
	c.from.Close()
	c.to.Close()
}

// run copies until ctx ends.
func (c *copier) run(ctx context.Context) error {
	var late sync.WaitGroup
	defer late.Wait()
	for {
		fetches := c.from.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("copier: read: %w", err)
		}
		var failed error
		var copies []*kgo.Record
		fetches.EachRecord(func(r *kgo.Record) {
			f := c.faults.pass(hopMirror, r.Topic, eventTime(r))
			value := r.Value
			if f.alter {
				value = altered(value)
			}
			for range f.copies {
				n := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: r.Key, Value: value, Headers: r.Headers, Timestamp: r.Timestamp}
				if f.delay == 0 {
					copies = append(copies, n)
					continue
				}
				late.Add(1)
				time.AfterFunc(f.delay, func() {
					defer late.Done()
					if err := c.write(context.WithoutCancel(ctx), n); err != nil {
						c.truth.problem(err)
					}
				})
			}
		})
		if err := c.write(context.WithoutCancel(ctx), copies...); err != nil {
			failed = errors.Join(failed, err)
		}
		if failed != nil {
			return failed
		}
	}
}

func (c *copier) write(ctx context.Context, records ...*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	results := c.to.ProduceSync(ctx, records...)
	for _, r := range results {
		if r.Err == nil {
			c.truth.add(tierAggregate, r.Record.Topic, eventTime(r.Record))
		}
	}
	if err := results.FirstErr(); err != nil {
		return fmt.Errorf("copier: write: %w", err)
	}
	return nil
}

// eventTime is what the header says that the first of the pipeline has stamped.
func eventTime(r *kgo.Record) int64 {
	for _, h := range r.Headers {
		if h.Key == audit.TimeHeader {
			ms, _ := strconv.ParseInt(string(h.Value), 10, 64) // 0 counts where nothing does
			return ms
		}
	}
	return 0
}
