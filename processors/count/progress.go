package count

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// progress reports, for each session and topic, how far the sources are durably
// counted: from ledgers that were acknowledged, never from memory.
type progress struct {
	p        *Processor
	producer sarama.SyncProducer
	topics   map[progressKey]*topicProgress
	displays sync.WaitGroup // commits under way
}

// A progressKey is what one progress record is about, as it names it.
type progressKey struct {
	owner, cluster, topic string
	id                    audit.TopicID
}

// topicProgress is what was said of a topic before.
type topicProgress struct {
	sequence int64 // of the last record tried
	acked    int64 // of the last one acknowledged, 0 if none
	acks     []ack // those that may still be named, oldest first
	sent     time.Time
	changed  time.Time // when it last said something new
	said     map[int32]audit.SourceProgress
}

// An ack is when a progress record had been acknowledged.
type ack struct {
	sequence int64
	at       time.Time
}

// before is the newest record that had been acknowledged at a moment, 0 if none.
// Asking about a later moment next time, it forgets what is older.
func (t *topicProgress) before(at time.Time) int64 {
	for len(t.acks) > 1 && t.acks[1].at.Before(at) {
		t.acks = t.acks[1:]
	}
	if len(t.acks) == 0 || !t.acks[0].at.Before(at) {
		return 0
	}
	return t.acks[0].sequence
}

// counted is a source at one moment.
type counted struct {
	x       *source
	ledger  counter.Ledger
	reading bool
	exact   bool // the reader sees everything before its position
}

// progressAtLeast is how often progress goes out when nothing has changed for so long:
// it also says that its instance lives. Two records make a window final, and it is waited
// for where there have been messages.
func progressAtLeast(quiet time.Duration) time.Duration {
	if quiet < 15*time.Minute {
		return 5 * time.Second
	}
	return 10 * time.Second
}

// mostProgress is how many progress records an instance writes a second; with
// more topics than that each is reported less often.
const mostProgress = 500

// run reports until ctx ends, then once more: the last flushes are durable then.
func (g *progress) run(ctx context.Context) {
	for {
		n := g.report()
		pause := max(g.p.o.ProgressEvery, time.Duration(n)*time.Second/mostProgress)
		select {
		case <-ctx.Done():
			g.report()
			g.displays.Wait()
			return
		case <-time.After(pause):
		}
	}
}

// of is what was said of a topic before.
func (g *progress) of(k progressKey) *topicProgress {
	t := g.topics[k]
	if t == nil {
		t = &topicProgress{}
		g.topics[k] = t
	}
	return t
}

// forget drops what ended sessions have said. What was said of a topic stays while
// its session lasts: should it come back, the sequence goes on.
func (g *progress) forget() {
	owners := map[string]bool{}
	for _, s := range g.p.claimed() {
		owners[s.claim.Owner] = true
	}
	maps.DeleteFunc(g.topics, func(k progressKey, _ *topicProgress) bool { return !owners[k.owner] })
}

// report writes a round of records and says of how many topics.
func (g *progress) report() int {
	now := time.Now() // decides how often, never what
	g.forget()
	topics := g.p.counted()
	asked := map[progressKey]int64{} // the newest record acknowledged when partitions and ends were asked for
	for k := range topics {
		// The ends are asked for now; how many partitions there are was asked before.
		asked[k] = g.of(k).before(g.p.dir.asked(k.cluster))
	}
	for k, at := range g.p.absent() {
		asked[k] = g.of(k).before(at)
		delete(topics, k) // what was counted of it, where the broker gives no ids
	}
	limits := g.limits(topics)

	var msgs []*sarama.ProducerMessage
	var of []progressKey
	for k, after := range asked {
		t, sources := g.topics[k], topics[k]
		said := make(map[int32]audit.SourceProgress, len(sources))
		for _, s := range sources {
			said[s.x.Partition] = s.progress(limits, t.said)
		}
		same := maps.Equal(said, t.said)
		if same && t.acked == t.sequence && now.Sub(t.sent) < progressAtLeast(now.Sub(t.changed)) {
			continue
		}
		if !same {
			t.changed = now
		}
		t.sequence++
		t.sent, t.said = now, said
		var listed listedTopic
		var physical string
		if len(sources) > 0 {
			x := sources[0].x
			listed, _ = g.p.dir.topic(x.Cluster, x.Topic)
			physical = x.subject.Physical
		}
		m, err := g.message(k, physical, listed, t, after)
		if err != nil {
			g.p.log.Error("progress not reported", "topic", k.topic, "err", err)
			continue
		}
		msgs = append(msgs, m)
		of = append(of, k)
	}
	g.send(msgs, of)
	g.display(topics)
	g.p.sayUnread(now)
	return len(asked)
}

// askFor is how long a round waits for the answers of clusters. One that hangs
// must not keep the progress of the others from being said.
const askFor = 5 * time.Second

// limits are how far a log goes, asked for at one moment; -1 where it is not known.
type limits struct {
	stable int64 // for readers: up to the first transaction that is open
	high   int64 // in all
}

// limits asks each cluster how far the logs of its sources go. What does not answer
// in time is not known in this round.
func (g *progress) limits(topics map[progressKey][]counted) map[audit.Source]limits {
	byCluster := map[*cluster][]audit.Source{}
	for _, sources := range topics {
		for _, s := range sources {
			if s.reading {
				byCluster[s.x.cluster] = append(byCluster[s.x.cluster], s.x.Source)
			}
		}
	}
	type answer struct {
		found map[audit.Source]int64
		high  bool
	}
	answers := make(chan answer, 2*len(byCluster))
	asked := 0
	// Side by side, so that neither question makes the other wait or be missed.
	ask := func(c *cluster, sources []audit.Source, high bool) {
		under, at, level := &c.endsAsked, atStable, sarama.ReadCommitted
		if high {
			under, at, level = &c.highAsked, atHigh, sarama.ReadUncommitted
		}
		if !under.CompareAndSwap(false, true) {
			return // a former round still waits for the answer
		}
		asked++
		go func() {
			found, err := c.offsets(sources, at, level)
			if err != nil {
				g.p.log.Debug("ends of logs not known", "cluster", c.Name, "high", high, "err", err)
			}
			under.Store(false)
			answers <- answer{found, high}
		}()
	}
	for c, sources := range byCluster {
		ask(c, sources, false)
		ask(c, sources, true)
	}
	known := map[audit.Source]limits{}
	timeout := time.After(askFor)
	for ; asked > 0; asked-- {
		select {
		case a := <-answers:
			for src, offset := range a.found {
				l, ok := known[src]
				if !ok {
					l = limits{-1, -1}
				}
				if a.high {
					l.high = offset
				} else {
					l.stable = offset
				}
				known[src] = l
			}
		case <-timeout:
			return known
		}
	}
	return known
}

// progress is what is said of a source, given how far logs go and what was said of
// the topic before. A ledger that does not reach the end has not caught up if the
// reader is exact. If it is not, one that has stopped to rise may be at the end
// all the same: behind it may be only control records, which the reader does not
// see.
func (s *counted) progress(known map[audit.Source]limits, before map[int32]audit.SourceProgress) audit.SourceProgress {
	l := &s.ledger
	p := audit.SourceProgress{
		Partition: s.x.Partition, Generation: l.Generation, Base: l.Base, Segment: l.Segment, Start: l.Start, Next: l.Next, Total: l.Total,
		Time: l.LastTime, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: audit.CaughtUpUnknown,
	}
	to, ok := known[s.x.Source]
	if !ok {
		return p
	}
	p.End = to.stable
	if to.high >= 0 {
		p.HighWatermark = max(to.high, to.stable) // the two were not asked for at once
	}
	old, said := before[s.x.Partition]
	switch {
	case to.stable < 0:
	case l.Next == to.stable:
		p.CaughtUp = audit.CaughtUpYes
	case l.Next > to.stable: // asked for after the ledger was read: the log is not the one that was counted
	case s.exact || !said || old.Next < l.Next:
		p.CaughtUp = audit.CaughtUpNo
	}
	return p
}

func (g *progress) message(k progressKey, physical string, listed listedTopic, t *topicProgress, askedAfter int64) (*sarama.ProducerMessage, error) {
	c := g.p.clusters[k.cluster]
	rec := &audit.Record{
		Kind: audit.KindProgress, Physical: physical, Version: t.sequence, Owner: k.owner, Host: g.p.o.Host,
		Identity: audit.Identity{
			Tier: c.Tier, Datacenter: c.Datacenter, Cluster: k.cluster, Topic: k.topic, TopicID: k.id, Partition: audit.NoPartition, Instance: k.owner,
		},
		Progress: &audit.Progress{AskedAfter: askedAfter, Partitions: listed.Partitions, Compacted: listed.Compacted},
	}
	for _, partition := range slices.Sorted(maps.Keys(t.said)) {
		rec.Progress.Sources = append(rec.Progress.Sources, t.said[partition])
	}
	value, err := encode(rec)
	if err != nil {
		return nil, err
	}
	return &sarama.ProducerMessage{
		Topic: string(g.p.o.Topology.AuditTopic()), Key: sarama.StringEncoder(rec.Key()), Value: sarama.ByteEncoder(value),
	}, nil
}

// send waits for acknowledgements. A record that is not acknowledged is made
// anew in the next round, with newer numbers.
func (g *progress) send(msgs []*sarama.ProducerMessage, of []progressKey) {
	if len(msgs) == 0 {
		return
	}
	failed := map[*sarama.ProducerMessage]bool{}
	if err := g.producer.SendMessages(msgs); err != nil {
		var errs sarama.ProducerErrors
		if !errors.As(err, &errs) {
			g.p.log.Warn("progress not reported", "err", err)
			return
		}
		for _, e := range errs {
			failed[e.Msg] = true
		}
		g.p.log.Warn("progress not reported for some topics", "topics", len(errs), "err", errs[0].Err)
	}
	for i, m := range msgs {
		if t := g.topics[of[i]]; t != nil && !failed[m] {
			t.acked = t.sequence
			t.acks = append(t.acks, ack{t.sequence, time.Now()})
		}
	}
}

// display commits offsets for lag tools, best effort.
func (g *progress) display(topics map[progressKey][]counted) {
	if g.p.o.DisplayGroup == "" {
		return
	}
	next := map[*cluster]map[audit.Source]int64{}
	for _, sources := range topics {
		for _, s := range sources {
			if next[s.x.cluster] == nil {
				next[s.x.cluster] = map[audit.Source]int64{}
			}
			next[s.x.cluster][s.x.Source] = s.ledger.Next
		}
	}
	for c, offsets := range next {
		if !c.displaying.CompareAndSwap(false, true) {
			continue
		}
		g.displays.Go(func() {
			defer c.displaying.Store(false)
			if err := c.commit(g.p.o.DisplayGroup, offsets); err != nil {
				g.p.log.Debug("offsets for display not committed", "err", err)
			}
		})
	}
}

// newProgress connects the producer of progress records.
func newProgress(p *Processor) (*progress, error) {
	config := shards.ProducerConfig(p.o.Config())
	config.Producer.Partitioner = sarama.NewCustomHashPartitioner(shards.NewHasher)
	config.Producer.Retry.Max = 3 // the next round says it better
	producer, err := sarama.NewSyncProducer(p.o.Brokers, config)
	if err != nil {
		return nil, err
	}
	return &progress{p: p, producer: producer, topics: map[progressKey]*topicProgress{}}, nil
}
