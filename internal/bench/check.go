package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// agreeWithin is how long the audit topic may say nothing new before all that was
// produced is counted there.
const agreeWithin = time.Minute

// patience is a context that ends when for so long nothing has been heard.
func patience(ctx context.Context, atMost time.Duration) (_ context.Context, heard, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := time.AfterFunc(atMost, func() { cancel(errors.New("waited long enough")) })
	return ctx, func() { t.Reset(atMost) }, func() { t.Stop(); cancel(nil) }
}

// of names the cells of a filling by its topic.
func (t truth) of(topic string) truth {
	named := make(truth, len(t))
	for c, v := range t {
		named[cell(topic)+c] = v
	}
	return named
}

// ofAll is of for topics that were filled with the same.
func (t truth) ofAll(topics []fillTopic) truth {
	all := make(truth, len(t)*len(topics))
	for _, topic := range topics {
		for c, v := range t {
			all[cell(topic.Name)+c] = v
		}
	}
	return all
}

func (t truth) messages() (n uint64) {
	for _, v := range t {
		n += v.Count
	}
	return n
}

// differs says how the records differ from what was produced; empty if not at all.
func (t truth) differs(said truth) string {
	for c, want := range t {
		if said[c] != want {
			return fmt.Sprintf("%s: want %+v, the records say %+v", c, want, said[c])
		}
	}
	for c, v := range said {
		if _, ok := t[c]; !ok {
			return fmt.Sprintf("%s: want nothing, the records say %+v", c, v)
		}
	}
	return ""
}

// check reads an audit topic until its records, of each identity the highest
// version, say what was produced, and there are no more of them. Records may
// still be coming.
func (r *runner) check(ctx context.Context, own string, want truth) error {
	topology := processors.DefaultTopology()
	topology.Prefix = own
	ctx, heard, stop := patience(ctx, agreeWithin)
	defer stop()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka.Brokers()...), kgo.ConsumeTopics(string(topology.AuditTopic())),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	asker, err := sarama.NewClient(r.kafka.Brokers(), config())
	if err != nil {
		return err
	}
	defer asker.Close()

	type word struct {
		version int64
		tally
	}
	newest := map[string]word{} // by identity; of records alone there would be gigabytes
	said := truth{}
	next := map[int32]int64{}
	for {
		var bad error
		fetches := client.PollFetches(ctx)
		fetches.EachRecord(func(kr *kgo.Record) {
			next[kr.Partition] = kr.Offset + 1
			var rec audit.Record
			if err := json.Unmarshal(kr.Value, &rec); err != nil {
				bad = fmt.Errorf("audit record %s: %w", kr.Value, err)
				return
			}
			if rec.Kind != audit.KindWindow {
				return
			}
			id := rec.IdentityKey()
			old, known := newest[id]
			if known && old.version >= rec.Version {
				return
			}
			c := cell(rec.Topic) + cellOf("", rec.Partition, rec.Start)
			said.add(c, rec.Tally.Count-old.Count, rec.Tally.Bytes-old.Bytes) // wraps, and back
			heard()
			newest[id] = word{rec.Version, tally{rec.Tally.Count, rec.Tally.Bytes}}
		})
		if bad != nil {
			return bad
		}
		differs := want.differs(said)
		if differs == "" {
			differs, err = behind(asker, string(topology.AuditTopic()), topology.Partitions, next)
			if err != nil {
				return err
			}
			if differs == "" {
				return nil
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %s", context.Cause(ctx), differs)
		}
	}
}

// behind says what of a topic has not been read; empty if all has.
func behind(asker sarama.Client, topic string, partitions int32, next map[int32]int64) (string, error) {
	for p := range partitions {
		end, err := asker.GetOffset(topic, p, sarama.OffsetNewest)
		if err != nil {
			return "", fmt.Errorf("end of %s/%d: %w", topic, p, err)
		}
		if next[p] < end {
			return fmt.Sprintf("%s/%d: read up to %d of %d", topic, p, next[p], end), nil
		}
	}
	return "", nil
}

// createTopics makes topics, some at a time, and waits for their leaders.
func createTopics(ctx context.Context, brokers, names []string, partitions int) error {
	const atOnce = 8
	var shares [atOnce][]shards.Topic
	for i, name := range names {
		shares[i%atOnce] = append(shares[i%atOnce], shards.Topic{Name: name, Partitions: int32(partitions)})
	}
	var errs [atOnce]error
	var wg sync.WaitGroup
	for i, topics := range shares {
		if len(topics) > 0 {
			wg.Go(func() { errs[i] = shards.EnsureTopics(ctx, brokers, config(), 1, topics) })
		}
	}
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		return fmt.Errorf("make %d topics: %w", len(names), err)
	}
	return nil
}

// forget deletes what a pass had on the broker, as it would weigh on the next.
func (r *runner) forget(own string) error {
	admin, err := sarama.NewClusterAdmin(r.kafka.Brokers(), config())
	if err != nil {
		return err
	}
	defer admin.Close()
	topics, err := admin.ListTopics()
	if err != nil {
		return err
	}
	for name := range topics {
		if strings.HasPrefix(name, own+"-") {
			if err := admin.DeleteTopic(name); err != nil {
				return err
			}
		}
	}
	return nil
}
