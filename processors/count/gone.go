package count

import (
	"context"
	"fmt"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// sayRecreated states, once in a session, that the tail of a topic that was
// deleted and made again is not known. Nothing is stored for it: the next owner
// finds the same in its table and says the same.
func (s *shard) sayRecreated(ctx context.Context) error {
	var msgs []shards.Message
	for _, src := range s.recreated() {
		if s.saidGone[src] {
			continue
		}
		s.saidGone[src] = true
		led := s.newestLedger(src)
		if led == nil || led.Total == 0 {
			continue
		}
		x := s.source(src)
		gap := counter.Ledger{
			Generation: led.Generation + 1, Base: led.Base, Start: led.Next, Next: led.Next, Windows: led.Windows, Digest: led.Digest, Last: -1, Epoch: -1,
			CutTime: counter.NoCut, Missed: &counter.Gap{From: led.Next, To: led.Next, Reason: audit.MissedRecreated, Since: led.LastTime},
		}
		m, err := x.ledgerMessage(counter.Key{Owner: s.claim.Owner, Ledger: true, Generation: gap.Generation}, &gap, true)
		if err != nil {
			return err
		}
		m.Value = nil // the statement alone
		msgs = append(msgs, m)
		s.p.log.Warn("a topic was deleted and made again; what the old one had at its end is unknown", "source", src, "counted_up_to", led.Next)
	}
	if err := s.claim.Send(ctx, msgs); err != nil {
		return fmt.Errorf("say what was re-created: %w", err)
	}
	return nil
}

// newestLedger is the durable ledger of a source, open or only in the table.
func (s *shard) newestLedger(src audit.Source) *counter.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sources[src]; x != nil && x.c != nil {
		x.mu.Lock()
		defer x.mu.Unlock()
		led := x.c.Durable()
		return &led
	}
	var best *counter.Ledger
	for _, e := range s.table[src] {
		if l := e.Ledger; l != nil && (best == nil || l.Generation > best.Generation || l.Generation == best.Generation && l.Next > best.Next) {
			best = l
		}
	}
	return best
}
