package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// A scatterOrder asks for one partition with messages in so many windows, the last
// of which ended an hour ago. There are as many in each, and they come in disorder.
// Brokers take any record timestamp of the past, so it lies in the window too: else
// the codec would not believe an event time so far from it.
type scatterOrder struct {
	Topic             string
	Messages, Windows int64
}

// scattered is what was produced: as many messages in each of the windows.
type scattered struct {
	scatterOrder
	first int64 // window, Unix seconds
	bytes uint64
}

func (r *runner) fillScattered(ctx context.Context, o scatterOrder) (*scattered, error) {
	// Else a segment ends where record timestamps are a week apart.
	topic := shards.Topic{Name: o.Topic, Partitions: 1, Config: map[string]string{"segment.ms": "9223372036854775807"}}
	if err := shards.EnsureTopics(ctx, r.kafka.Brokers(), config(), 1, []shards.Topic{topic}); err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(256<<10), kgo.ProducerLinger(50*time.Millisecond), kgo.MaxBufferedRecords(20_000))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &scattered{scatterOrder: o, first: baseOf(o.Windows) / 1000}
	rng := rand.New(rand.NewPCG(1, 1))
	const stride = 7919 // a prime, and no divisor of any number of windows that is asked for
	for i := range o.Messages {
		at := s.first*1000 + i*stride%o.Windows*windowMs + rng.Int64N(windowMs)
		value := document(rng, at, int(i), fillOrder{Size: small})
		s.bytes += uint64(len(value))
		client.Produce(ctx, &kgo.Record{Topic: o.Topic, Value: value, Timestamp: time.UnixMilli(at)}, func(_ *kgo.Record, err error) {
			if err != nil {
				cancel(err)
			}
		})
	}
	_ = client.Flush(ctx) // fails with ctx only
	return s, context.Cause(ctx)
}

// checkScattered reads the audit topic until it says what was produced, and gives
// the number of segments.
func (r *runner) checkScattered(ctx context.Context, own string, want *scattered) (segments int64, err error) {
	topology := processors.DefaultTopology()
	topology.Prefix = own
	ctx, heard, stop := patience(ctx, agreeWithin)
	defer stop()
	type row struct{ segment, window int64 }
	type word struct {
		version int64
		tally
	}
	said := map[row]word{}
	var sum tally
	next := map[int32]int64{}
	asker, err := sarama.NewClient(r.kafka.Brokers(), config())
	if err != nil {
		return 0, err
	}
	defer asker.Close()
	err = r.read(ctx, string(topology.AuditTopic()), func(kr *kgo.Record) error {
		next[kr.Partition] = kr.Offset + 1
		var rec audit.Record
		if err := json.Unmarshal(kr.Value, &rec); err != nil {
			return fmt.Errorf("audit record %s: %w", kr.Value, err)
		}
		if rec.Kind != audit.KindWindow {
			return nil
		}
		at := row{rec.Segment, rec.Start}
		old := said[at]
		if old.Count > 0 && old.version >= rec.Version {
			return nil
		}
		heard()
		now := tally{rec.Tally.Count, rec.Tally.Bytes}
		sum.Count, sum.Bytes = sum.Count+now.Count-old.Count, sum.Bytes+now.Bytes-old.Bytes
		said[at] = word{rec.Version, now}
		segments = max(segments, rec.Segment+1)
		return nil
	}, func() (done bool, err error) {
		if sum.Count < uint64(want.Messages) {
			return false, nil
		}
		differs, err := behind(asker, string(topology.AuditTopic()), topology.Partitions, next)
		return differs == "", err
	})
	if err != nil {
		return 0, fmt.Errorf("%w: the records say %+v, produced were %d messages with %d bytes", err, sum, want.Messages, want.bytes)
	}
	byWindow := map[int64]uint64{}
	for at, w := range said {
		byWindow[at.window] += w.Count
	}
	for i := range want.Windows {
		w := want.first + i*windowMs/1000
		if n := byWindow[w]; n != uint64(want.Messages/want.Windows) && n != uint64(want.Messages/want.Windows+1) {
			return 0, fmt.Errorf("counted wrong: the records say %d messages in window %d", n, w)
		}
	}
	if sum != (tally{uint64(want.Messages), want.bytes}) || int64(len(byWindow)) != want.Windows {
		return 0, fmt.Errorf("counted wrong: the records say %+v in %d windows, want %d messages with %d bytes in %d", sum, len(byWindow), want.Messages, want.bytes, want.Windows)
	}
	return segments, nil
}

// tableEntries counts the keys that the counting table holds, as compaction would
// leave them.
func (r *runner) tableEntries(ctx context.Context, own string) (int, error) {
	topology := processors.DefaultTopology()
	topology.Prefix = own
	asker, err := sarama.NewClient(r.kafka.Brokers(), config())
	if err != nil {
		return 0, err
	}
	defer asker.Close()
	live := map[string]struct{}{}
	next := map[int32]int64{}
	err = r.read(ctx, string(topology.CountTable()), func(kr *kgo.Record) error {
		next[kr.Partition] = kr.Offset + 1
		if kr.Value == nil {
			delete(live, string(kr.Key))
		} else {
			live[string(kr.Key)] = struct{}{}
		}
		return nil
	}, func() (bool, error) {
		differs, err := behind(asker, string(topology.CountTable()), topology.Shards, next)
		return differs == "", err
	})
	return len(live), err
}

// read reads a topic from its beginning until it is done.
func (r *runner) read(ctx context.Context, topic string, take func(*kgo.Record) error, done func() (bool, error)) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Brokers()...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		var bad error
		waited, cancel := context.WithTimeout(ctx, 200*time.Millisecond) // what was read last may have been the end
		client.PollFetches(waited).EachRecord(func(kr *kgo.Record) {
			if bad == nil {
				bad = take(kr)
			}
		})
		cancel()
		if bad != nil {
			return bad
		}
		if ended, err := done(); ended || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
}
