package torture

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
)

// A listener hears everything that is said on the audit topic, from its beginning.
type listener struct {
	client *kgo.Client
	done   chan struct{}

	mu         sync.Mutex
	read       map[int32]int64 // by partition: the next offset
	statements map[audit.Source][]statement
	missed     map[audit.Source]map[span]audit.MissedReason
	records    [][2][]byte // key and value of the newest, to be said again
	unread     []string    // what cannot be decoded
}

// kept is how many records are kept to be said again.
const kept = 2000

func (w *world) listen() (*listener, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.clusters[home].Brokers()...), kgo.ConsumeTopics(string(w.topology.AuditTopic())),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMaxAge(5*time.Second), kgo.MetadataMinAge(250*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("read the audit topic: %w", err)
	}
	l := &listener{client: client, done: make(chan struct{}), read: map[int32]int64{}, statements: map[audit.Source][]statement{}, missed: map[audit.Source]map[span]audit.MissedReason{}}
	go l.run()
	return l, nil
}

func (l *listener) run() {
	defer close(l.done)
	for {
		fetches := l.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		l.mu.Lock()
		fetches.EachRecord(l.hear)
		l.mu.Unlock()
	}
}

func (l *listener) close() {
	l.client.Close()
	<-l.done
}

func (l *listener) hear(k *kgo.Record) {
	l.read[k.Partition] = k.Offset + 1
	if len(l.records) == kept {
		l.records = append(l.records[:0], l.records[kept/2:]...)
	}
	l.records = append(l.records, [2][]byte{k.Key, k.Value})
	r, err := audit.Decode(k.Value)
	if err != nil {
		l.unread = append(l.unread, fmt.Sprintf("partition %d offset %d: %v", k.Partition, k.Offset, err))
		return
	}
	src := r.Source()
	switch r.Kind {
	case audit.KindWindow:
		l.statements[src] = append(l.statements[src], statement{
			generation: r.Generation, start: r.Tally.GenerationStart, segment: r.Segment, window: r.Start, version: r.Version,
			owner: r.Owner, first: r.Tally.First, partial: r.Tally.Partial, tally: &r.Tally.Tally,
		})
	case audit.KindMissed:
		if l.missed[src] == nil {
			l.missed[src] = map[span]audit.MissedReason{}
		}
		l.missed[src][span{r.Missed.From, r.Missed.To}] = r.Missed.Reason
	}
}

// newest gives some of the newest records.
func (l *listener) newest() [][2][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([][2][]byte(nil), l.records...)
}

// upTo is the highest offset of a source that is counted, -1 if there is none.
func (l *listener) upTo(src audit.Source) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := int64(-1)
	for _, s := range l.statements[src] {
		last = max(last, s.version)
	}
	return last
}

// cutsOf gives where a source is said to have been cut.
func (l *listener) cutsOf(src audit.Source) (from []int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s, reason := range l.missed[src] {
		if reason == audit.MissedTruncated {
			from = append(from, s.from)
		}
	}
	return from
}

// gone says whether it was said that a source is no more.
func (l *listener) gone(src audit.Source) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, reason := range l.missed[src] {
		if reason == audit.MissedRecreated {
			return true
		}
	}
	return false
}

// missedOf gives what was said to be missed of a source.
func (l *listener) missedOf(src audit.Source) (spans []span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.missed[src] {
		spans = append(spans, s)
	}
	return spans
}

// overlap gives the windows in which two generations have counted the same
// offsets: one that was paused when the log was broken went on when it woke up.
// Its records show it, so that nobody takes such a window for known.
func (l *listener) overlap(src audit.Source) map[int64]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	starts := map[int64]int64{}
	for _, s := range l.statements[src] {
		starts[s.generation] = s.start
	}
	twice := map[int64]bool{}
	for _, s := range l.statements[src] {
		for generation, start := range starts {
			if generation > s.generation && s.version >= start {
				twice[s.window] = true
			}
		}
	}
	return twice
}

// caughtUp waits until everything that is on the topic now has been heard.
func (l *listener) caughtUp(ctx context.Context, topic string) error {
	ends, err := offsets(ctx, l.client, topic, -1)
	if err != nil {
		return err
	}
	for {
		l.mu.Lock()
		behind := false
		for p, end := range ends {
			behind = behind || l.read[p] < end
		}
		l.mu.Unlock()
		if !behind {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("read the audit topic to its end: %w", context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// offsets asks for an offset of every partition of a topic: -2 the first, -1 the
// one after the last.
func offsets(ctx context.Context, client *kgo.Client, topic string, which int64) (map[int32]int64, error) {
	meta := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	meta.Topics = append(meta.Topics, t)
	described, err := meta.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(described.Topics[0].ErrorCode)
	}
	if err != nil {
		return nil, fmt.Errorf("ask for topic %s: %w", topic, err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for _, p := range described.Topics[0].Partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p.Partition, which
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	listed, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("ask for offsets of %s: %w", topic, err)
	}
	found := map[int32]int64{}
	for _, t := range listed.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("ask for offsets of %s/%d: %w", topic, p.Partition, err)
			}
			found[p.Partition] = p.Offset
		}
	}
	return found, nil
}

// readTopic reads a topic of the audit cluster from its beginning to where it
// ends now. Of a compacted one the last offset may be gone: then it is enough
// that nothing more comes.
func (w *world) readTopic(ctx context.Context, topic string, each func(*kgo.Record)) error {
	return readLog(ctx, w.clusters[home].Brokers(), topic, true, each)
}

// silence is how long nothing must have come for a log to be at its end.
const silence = 3 * time.Second

// readLog reads what is committed, up to the end of the log as it is now, and waits
// for transactions that are open.
func readLog(ctx context.Context, brokers []string, topic string, compacted bool, each func(*kgo.Record)) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return fmt.Errorf("read %s: %w", topic, err)
	}
	defer client.Close()
	open, err := offsets(ctx, client, topic, -1)
	if err != nil {
		return err
	}
	starts, err := offsets(ctx, client, topic, -2)
	if err != nil {
		return err
	}
	for p, end := range open {
		if starts[p] >= end {
			delete(open, p)
		}
	}
	for heard := time.Now(); len(open) > 0 && (!compacted || time.Since(heard) < silence); {
		limit, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		fetches := client.PollFetches(limit)
		cancel()
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read %s: %w", topic, context.Cause(ctx))
		}
		fetches.EachRecord(func(r *kgo.Record) {
			heard = time.Now()
			if !r.Attrs.IsControl() {
				each(r)
			}
			if end, ok := open[r.Partition]; ok && r.Offset >= end-1 {
				delete(open, r.Partition)
			}
		})
	}
	return nil
}
