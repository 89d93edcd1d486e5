package count

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// keepOpen reads every source of the shard that the directory lists, until ctx
// ends: new ones, and again those that were lost.
func (s *shard) keepOpen(ctx context.Context) {
	said := false
	for ctx.Err() == nil {
		known := s.p.dir.complete(s.p.clusters)
		listed, changed := s.p.dir.of(s.claim.Partition)
		again := s.openAll(ctx, listed)
		if known && !again && !said {
			said = true
			s.p.allOpen(s.claim)
		}
		var timer <-chan time.Time
		if again {
			timer = time.After(retryAfter)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-s.reopened:
		case <-timer:
		}
	}
}

// allOpen notes that all sources of a shard are being read, and says so when that
// is so for all shards of the session: then it has taken over.
func (p *Processor) allOpen(c *shards.Claim) {
	p.mu.Lock()
	if p.openOwner != c.Owner {
		p.openOwner, p.openShards = c.Owner, 0
	}
	p.openShards++
	all := p.openShards == c.Claims
	p.mu.Unlock()
	if all {
		n := p.size()
		p.log.Info("all sources are being read", "sources", n.sources, "rows", n.rows, "table_entries", n.stored, "owner", c.Owner,
			"since_session_began", time.Since(c.Began).Round(time.Millisecond))
	}
}

// openAll opens what is listed and not read, and closes what is read and not
// listed: sarama knows a topic by its name only, so one made again could not be
// read else. It says whether something is left to be tried again.
func (s *shard) openAll(ctx context.Context, listed []audit.Source) (again bool) {
	here := make(map[audit.Source]bool, len(listed))
	for _, src := range listed {
		here[src] = true
	}
	for _, x := range s.list() {
		if !here[x.Source] {
			x.close()
		}
	}
	idle := map[*cluster][]*source{}
	for _, src := range listed {
		x := s.source(src)
		if s.learn(ctx, x) {
			continue
		}
		x.mu.Lock()
		switch {
		case x.reading && x.lost == nil:
		case time.Now().Before(x.retry):
			again = true
		default:
			idle[x.cluster] = append(idle[x.cluster], x)
		}
		x.mu.Unlock()
	}
	for c, sources := range idle {
		if err := s.openOn(ctx, c, sources); err != nil {
			s.p.log.Debug("sources not opened, trying again", "cluster", c.Name, "shard", s.claim.Partition, "err", err)
			again = true
			for _, x := range sources {
				x.failed(err)
			}
		}
		for _, x := range sources {
			x.mu.Lock()
			again = again || !x.reading || x.lost != nil
			x.mu.Unlock()
		}
	}
	return again
}

// source finds or makes the source.
func (s *shard) source(src audit.Source) *source {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sources[src]
	if x == nil {
		c, extract := s.p.clusters[src.Cluster], s.p.o.Codecs.For(src.Topic)
		subject := Subject{Host: s.p.o.Host, Extract: extract, Identity: audit.Identity{
			Tier: c.Tier, Datacenter: c.Datacenter, Cluster: src.Cluster, Topic: src.Topic, TopicID: src.TopicID, Partition: src.Partition,
			Window: audit.Window{Size: int64(s.p.o.WindowSize / time.Second)},
		}}
		subject.rename(c.logical(src.Topic))
		x = &source{
			Source: src, cluster: c, shard: s, prefix: counter.SourcePrefix(src), said: -1, learnt: -1, subject: subject,
			digest: subject.under(extract.Digest(s.p.o.WindowSize)),
		}
		for _, f := range extract.Formers(s.p.o.WindowSize) {
			x.former = append(x.former, counter.Former{Digest: subject.under(f.Digest), Until: f.Until})
		}
		s.sources[src] = x
	}
	return x
}

// openOn opens sources of one cluster. One question for all of them: asked one
// after another, each would wait behind the long polls of the others.
func (s *shard) openOn(ctx context.Context, c *cluster, sources []*source) error {
	reader, err := c.reader(false)
	if err != nil {
		return err
	}
	all := make([]audit.Source, len(sources))
	for i, x := range sources {
		all[i] = x.Source
	}
	ends, err := c.edges(all)
	if len(ends) == 0 {
		return err
	}
	if sources, err = s.still(c, sources, ends); err != nil {
		return err
	}
	var unknown []audit.Source
	for _, x := range sources {
		if x.c == nil && !s.recovered(x.Source) {
			unknown = append(unknown, x.Source)
		}
	}
	starts, err := s.p.startOffsets(ctx, c, unknown, ends)
	if err != nil {
		return err
	}
	for _, x := range sources {
		e, ok := ends[x.Source]
		if !ok {
			continue
		}
		if x.c == nil {
			start, known := starts[x.Source]
			if !known && !s.recovered(x.Source) {
				continue
			}
			if err := s.recover(x, start, e); err != nil {
				x.failed(err)
				continue
			}
		}
		if err := s.read(reader, x, e); err != nil {
			s.p.log.Debug("source not opened, trying again", "source", x.Source, "err", err)
			x.failed(err)
			x.mu.Lock()
			x.retry = time.Now().Add(retryAfter)
			x.mu.Unlock()
		}
	}
	return nil
}

// recovered says whether the table has something of a source.
func (s *shard) recovered(src audit.Source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.table[src]) > 0
}

// still leaves out sources of which the log looks cut, and that are no longer what
// they were: a topic made again under the same name has another id, and what was asked
// for by name was answered for that one. So ids are asked for after the edges: what is
// the same topic now was it then.
func (s *shard) still(c *cluster, sources []*source, ends map[audit.Source]edges) ([]*source, error) {
	if !slices.ContainsFunc(sources, func(x *source) bool { return s.looksCut(x, ends) }) {
		return sources, nil
	}
	if err := s.p.dir.poll(c); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(sources), func(x *source) bool { return !s.p.dir.lists(x.Source) }), nil
}

// looksCut says whether a source was lost, or its log ends before what was counted.
func (s *shard) looksCut(x *source, ends map[audit.Source]edges) bool {
	x.mu.Lock()
	lost, open := x.lost != nil, x.c != nil
	if _, waited := errors.AsType[*unready](x.lost); waited {
		lost = false
	}
	x.mu.Unlock()
	if lost || open {
		return lost
	}
	e, ok := ends[x.Source]
	led, _ := s.newestLedger(x.Source)
	return ok && led != nil && led.Next > e.end
}

// recover makes the source's counter from what the table holds.
func (s *shard) recover(x *source, start int64, e edges) error {
	entries, err := s.take(x.Source)
	if err != nil {
		return err
	}
	c, found := counter.Recover(counter.Options{Owner: s.claim.Owner, Windows: s.p.o.Windows, Digest: x.digest, Former: x.former, Start: start},
		counter.Edges{Oldest: e.start, Newest: e.end}, entries)
	if found.Damaged != nil {
		s.p.health.Degraded(fmt.Sprintf("%s: %v; a new generation is counted, windows around it are unknown", x.Source, found.Damaged))
	}
	if found.Reason != "" {
		s.p.sayMissed(x.Source, c.State())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.c = c
	x.waiting = time.Now()
	return nil
}

// read opens the reader at the counter's position. A source that was lost for
// good begins a new generation first, once all of the old one is stored.
func (s *shard) read(reader logs.Reader, x *source, e edges) error {
	x.mu.Lock()
	lost, former, old := x.lost, x.reader, x.old
	x.mu.Unlock()
	if lost != nil {
		if former != nil {
			former.Close(x.Source) // one that is broken is still open, and paused
		}
		// Only an owner may begin a generation: one that was paused meanwhile would
		// take what its successor has counted for a break in the log.
		if !s.claim.Confirm() {
			return nil
		}
		if ready, err := x.goOn(lost, e); err != nil || !ready {
			return err
		}
	}
	if old {
		var err error
		if reader, err = x.cluster.reader(true); err != nil {
			return err
		}
	}
	x.mu.Lock()
	from := logs.Position{Next: x.c.Next(), Epoch: x.c.State().Epoch, Last: -1}
	if last := x.c.ReadFrom(e.start); last < from.Next {
		from.Last = last
	}
	x.reader, x.reading, x.paused, x.lost, x.opened, x.pace = reader, true, false, nil, time.Now(), pace{}
	x.mu.Unlock()
	if err := reader.Open(x.Source, from, x); err != nil {
		x.mu.Lock()
		x.reading = false
		x.mu.Unlock()
		return err
	}
	return nil
}

// goOn lets a lost source go on, given its log's edges now. It is not ready
// while something of the old generation is still to be flushed.
func (x *source) goOn(lost error, e edges) (ready bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.reading = false
	start, reason := afterLoss(lost, x.c.Next(), e)
	if reason == "" {
		return true, nil
	}
	if !x.c.Idle() {
		x.shard.hurry()
		return false, nil
	}
	if err := x.c.Restart(start, reason); err != nil {
		return false, err
	}
	x.shard.p.sayMissed(x.Source, x.c.State())
	x.waiting = time.Now()
	return true, nil
}

// sayMissed tells people; the record goes out with the ledger.
func (p *Processor) sayMissed(src audit.Source, led counter.Ledger) {
	if led.Missed == nil {
		p.log.Info("a new generation begins", "source", src, "generation", led.Generation, "start", led.Start)
		return
	}
	m := led.Missed
	p.metrics.missed.WithLabelValues(string(m.Reason)).Add(float64(m.To - m.From))
	p.log.Warn("messages were missed; the windows around them are unknown", "source", src, "reason", m.Reason, "at_most", m.To-m.From,
		"from", m.From, "to", m.To, "generation", led.Generation, "start", led.Start)
}

var _ shards.Worker = (*Processor)(nil)
