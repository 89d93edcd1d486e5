package count

import (
	"context"
	"time"

	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// flush stores what has changed, whole sources at a time, those that have waited
// longest first, up to a number of rows: rows and their records; when all of
// them are acknowledged the ledgers; and when those are, and the coordinator
// says that the shard is still ours, it deletes what nobody will need again.
func (s *shard) flush(ctx context.Context, budget int) error {
	begin := time.Now()
	chosen := s.choose(budget)
	if len(chosen) > 0 {
		if err := s.store(ctx, chosen); err != nil {
			s.p.metrics.failed.Inc()
			return err
		}
		s.p.metrics.flush.Observe(time.Since(begin).Seconds())
	}
	s.resume()
	if err := s.sayRecreated(ctx); err != nil {
		return err
	}
	if err := s.evict(ctx); err != nil {
		return err
	}
	return s.forget(ctx)
}

// choose picks the sources of a flush.
func (s *shard) choose(budget int) (chosen []*source) {
	var all []candidate
	for _, x := range s.list() {
		x.mu.Lock()
		if x.c != nil && !x.c.Idle() {
			all = append(all, candidate{x, x.prefix, x.waiting, x.c.DirtyRows()})
		}
		x.mu.Unlock()
	}
	for _, c := range choose(all, budget) {
		chosen = append(chosen, c.x)
	}
	return chosen
}

// store writes rows, then ledgers.
func (s *shard) store(ctx context.Context, chosen []*source) error {
	var rows, ledgers []shards.Message
	at := make([]counter.Ledger, len(chosen))
	for i, x := range chosen {
		var failed error
		x.mu.Lock()
		led := x.c.State()
		at[i] = x.c.Flush(func(k counter.Key, r *counter.Row) {
			x.out++
			m, err := x.rowMessage(k, r, &led)
			if err != nil {
				failed = err
				return
			}
			rows = append(rows, m)
		})
		m, err := x.ledgerMessage(x.c.LedgerKey(), &at[i], x.said != at[i].Generation)
		x.waiting = time.Time{}
		off := x.balance()
		x.mu.Unlock()
		if off != nil {
			s.p.imbalance(x.Source, off)
		}
		if failed == nil {
			failed = err
		}
		if failed != nil {
			return failed
		}
		ledgers = append(ledgers, m)
	}
	if err := s.claim.Send(ctx, rows); err != nil {
		return err
	}
	if err := s.claim.Send(ctx, ledgers); err != nil {
		return err
	}
	s.p.metrics.stored(len(rows), len(ledgers))
	for i, x := range chosen {
		x.mu.Lock()
		x.c.Acked(at[i])
		x.out = 0
		x.said = at[i].Generation
		x.weigh()
		x.mu.Unlock()
	}
	return nil
}

// resume lets paused sources go on, as many as there is room for. One that a flush
// did not reach, or found no room for, has its turn at a later one.
func (s *shard) resume() {
	room := s.p.pressure.room()
	for _, x := range s.list() {
		if room == 0 {
			return
		}
		x.mu.Lock()
		// Rows found ahead at a recovery wait for the messages that reach them, and
		// must not keep these from being read.
		resume := x.paused && x.c.Closed() == 0 && (x.c.Pending() <= s.p.o.MaxPending || x.c.Idle())
		if resume {
			x.paused = false
		}
		reader := x.reader
		x.mu.Unlock()
		if !resume {
			continue
		}
		room--
		if reader != nil {
			reader.Resume(x.Source)
		}
	}
}

// evict asks the coordinator, if any source has a reason to, and deletes.
func (s *shard) evict(ctx context.Context) error {
	var unsure []*source
	for _, x := range s.list() {
		x.mu.Lock()
		if x.c != nil && x.c.Unsure() {
			unsure = append(unsure, x)
		}
		x.mu.Unlock()
	}
	if len(unsure) == 0 {
		return nil
	}
	if !s.claim.Confirm() {
		s.p.metrics.unconfirmed.Inc()
		return nil // the session ends, or the next flush asks again
	}
	var msgs []shards.Message
	hurry := false
	for _, x := range unsure {
		x.mu.Lock()
		for _, k := range x.c.Confirmed() {
			msgs = append(msgs, shards.Message{Key: x.prefix + k.String(), Delete: true})
		}
		hurry = hurry || x.paused // the rows of a new generation may go out only now
		x.mu.Unlock()
	}
	if hurry {
		s.hurry()
	}
	s.p.metrics.evicted.Add(float64(len(msgs)))
	return s.claim.Send(ctx, msgs)
}
