package count

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
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
		if !ok || listed.ID == src.TopicID || s.recreated[src] {
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

// newestLedger is the durable ledger of a source, open or only in the table. It
// says whether anything of the source was counted: there may be rows, and their
// records, of before the first ledger that counts them.
func (s *shard) newestLedger(src audit.Source) (best *counter.Ledger, counted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sources[src]; x != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.c != nil {
			led := x.c.Durable()
			return &led, led.Total > 0 || x.c.Len() > 0
		}
	}
	for _, e := range s.table[src] {
		if l := e.Ledger; l != nil && (best == nil || l.Generation > best.Generation || l.Generation == best.Generation && l.Next > best.Next) {
			best = l
		}
		counted = counted || e.Row != nil
	}
	return best, best != nil && (counted || best.Total > 0)
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

// goneKey names, behind the prefix of a source, when it was first not listed.
// Each owner has a key of its own, as for everything; the earliest counts.
const goneKey = "gone/"

func isGoneKey(rest string) bool { return strings.HasPrefix(rest, goneKey) }

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
	var dead []audit.Source
	gone := map[audit.Source]bool{}
	for _, src := range s.unlisted() {
		gone[src] = true
		prefix := counter.SourcePrefix(src)
		since, noted := s.goneSince(prefix)
		switch {
		case !noted:
			msgs = append(msgs, shards.Message{Key: prefix + goneKey + s.claim.Owner, Value: binary.AppendVarint(nil, now.UnixMilli())})
		case now.Sub(since) >= s.p.o.GoneFor:
			dead = append(dead, src)
		}
	}
	// One that is back is not gone.
	for key := range s.claim.Table.All() {
		if src, rest, err := counter.ParseSource(key); err == nil && isGoneKey(rest) && !gone[src] && s.p.dir.lists(src) {
			msgs = append(msgs, shards.Message{Key: key, Delete: true})
		}
	}
	if err := s.claim.Send(ctx, msgs); err != nil || len(dead) == 0 || !s.claim.Confirm() {
		return err
	}
	msgs = msgs[:0]
	for _, src := range dead {
		prefix := counter.SourcePrefix(src)
		s.mu.Lock()
		if s.p.dir.lists(src) { // back, meanwhile
			s.mu.Unlock()
			continue
		}
		keep := s.newestKey(prefix)
		for key := range s.claim.Table.Range(prefix, prefix+"\xff") {
			if key != keep {
				msgs = append(msgs, shards.Message{Key: key, Delete: true})
			}
		}
		delete(s.sources, src)
		delete(s.table, src)
		s.mu.Unlock()
		s.p.log.Info("entries of a source that has been gone are deleted", "source", src, "gone_for", s.p.o.GoneFor)
	}
	s.p.metrics.evicted.Add(float64(len(msgs)))
	return s.claim.Send(ctx, msgs)
}

// newestKey is the key of the ledger furthest on. It stays for ever, a hundred
// bytes: should the source come back, it says which generations and offsets are
// counted, and without it they would be counted under the same identities again.
func (s *shard) newestKey(prefix string) (newest string) {
	var best *counter.Ledger
	for key, value := range s.claim.Table.Range(prefix, prefix+"\xff") {
		e, err := counter.Decode(value)
		if err != nil || e.Ledger == nil {
			continue
		}
		if l := e.Ledger; best == nil || l.Generation > best.Generation || l.Generation == best.Generation && l.Next > best.Next {
			best, newest = l, key
		}
	}
	return newest
}

// forgetEvery is how often a shard looks for sources that are gone.
const forgetEvery = time.Minute

func (s *shard) goneSince(prefix string) (earliest time.Time, noted bool) {
	for _, value := range s.claim.Table.Range(prefix+goneKey, prefix+goneKey+"\xff") {
		ms, n := binary.Varint(value)
		if at := time.UnixMilli(ms); n > 0 && (!noted || at.Before(earliest)) {
			earliest, noted = at, true
		}
	}
	return earliest, noted
}
