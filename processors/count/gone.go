package count

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// sayRecreated states, once in a session, that the tail of a topic that was
// deleted and made again is not known. Nothing is stored for it: the next owner
// finds the same in its table and says the same.
func (s *shard) sayRecreated(ctx context.Context) error {
	var msgs []shards.Message
	for _, src := range s.unlisted() {
		listed, ok := s.p.dir.topic(src.Cluster, src.Topic)
		if !ok || listed.ID == src.TopicID || s.recreated[src] || s.buried(src) { // what is buried has been said long ago
			continue
		}
		s.recreated[src] = true
		led, counted := s.newestLedger(src)
		if !counted {
			continue
		}
		after := counter.Ledger{
			Generation: led.Generation + 1, Base: led.Base, Start: led.Next,
			Missed: &counter.Gap{From: led.Next, To: led.Next, Reason: audit.MissedRecreated, Since: led.LastTime},
		}
		m, err := s.source(src).missedMessage(s.claim.Owner, &after)
		if err != nil {
			return err
		}
		msgs = append(msgs, m)
		s.p.log.Warn("a topic was deleted and made again; what the old one had at its end is unknown", "source", src, "counted_up_to", led.Next)
	}
	if err := s.claim.Send(ctx, msgs); err != nil {
		return fmt.Errorf("say what was re-created: %w", err)
	}
	return nil
}

// unlisted are the sources that the shard has entries of and that their cluster,
// which has answered, does not list.
func (s *shard) unlisted() (gone []audit.Source) {
	listed, _ := s.p.dir.of(s.claim.Partition)
	here := make(map[audit.Source]bool, len(listed))
	for _, src := range listed {
		here[src] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	consider := func(src audit.Source) {
		if !here[src] && s.p.dir.had(src.Cluster) {
			gone = append(gone, src)
		}
	}
	for src := range s.table {
		consider(src)
	}
	for src := range s.sources {
		if _, both := s.table[src]; !both {
			consider(src)
		}
	}
	return gone
}

// forget deletes what the table holds of sources that have been gone for long
// enough: their entries would be recovered at every rebalance for ever. The
// moment is noted in the table, so that restarts do not begin the wait anew.
func (s *shard) forget(ctx context.Context) error {
	now := s.p.o.Now()
	if now.Before(s.nextForget) {
		return nil
	}
	s.nextForget = now.Add(forgetEvery)
	var msgs []shards.Message
	var noted, dead []audit.Source
	gone := map[audit.Source]bool{}
	for _, src := range s.unlisted() {
		gone[src] = true
		if s.buried(src) {
			continue
		}
		since, known := s.goneSince(src)
		switch {
		case !known:
			noted = append(noted, src)
			msgs = append(msgs, shards.Message{Key: counter.SourcePrefix(src) + goneKey + s.claim.Owner, Value: binary.AppendVarint(nil, now.UnixMilli())})
		case now.Sub(since) >= s.p.o.GoneFor:
			dead = append(dead, src)
		}
	}
	for i, src := range noted {
		s.note(src, msgs[i].Key, msgs[i].Value)
	}
	// One that is back is not gone.
	s.mu.Lock()
	for src, keys := range s.notes {
		if gone[src] || !s.p.dir.lists(src) {
			continue
		}
		for key := range keys {
			msgs = append(msgs, shards.Message{Key: key, Delete: true})
		}
		delete(s.notes, src)
	}
	s.mu.Unlock()
	if err := s.claim.Send(ctx, msgs); err != nil || len(dead) == 0 || !s.claim.Confirm() {
		return err
	}
	msgs = msgs[:0]
	for _, src := range dead {
		msgs = append(msgs, s.bury(src)...)
	}
	s.p.metrics.evicted.Add(float64(len(msgs)))
	return s.claim.Send(ctx, msgs)
}

// bury gives up a source that is gone: it lists what to delete of it. The ledger
// furthest on stays for ever, a hundred bytes: should the source come back, it says
// which generations and offsets are counted, and without it they would be counted
// under the same identities again.
func (s *shard) bury(src audit.Source) (msgs []shards.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.p.dir.lists(src) { // back, meanwhile
		return nil
	}
	list := s.table[src]
	if x := s.sources[src]; x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.c != nil {
			if !x.c.Idle() {
				return nil // its ledger is not written yet
			}
			led := x.c.Durable()
			for _, k := range x.c.Keys() {
				e := entry{key: k.String()}
				if k == x.c.LedgerKey() {
					e.value = led.Append(nil)
				}
				list = append(list, e)
			}
		}
	}
	prefix := counter.SourcePrefix(src)
	_, keep := newest(list)
	var kept []entry
	for _, e := range list {
		if e.key == keep {
			kept = append(kept, e)
			continue
		}
		msgs = append(msgs, shards.Message{Key: prefix + e.key, Delete: true})
	}
	for key := range s.notes[src] {
		msgs = append(msgs, shards.Message{Key: key, Delete: true})
	}
	delete(s.sources, src)
	delete(s.notes, src)
	if s.table[src] = kept; len(kept) == 0 {
		delete(s.table, src)
	}
	s.p.log.Info("entries of a source that has been gone are deleted", "source", src, "gone_for", s.p.o.GoneFor)
	return msgs
}

// buried says whether there is nothing to delete of a source.
func (s *shard) buried(src audit.Source) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.notes[src]) == 0 && len(s.table[src]) <= 1 && s.sources[src] == nil
}

// forgetEvery is how often a shard looks for sources that are gone.
const forgetEvery = time.Minute
