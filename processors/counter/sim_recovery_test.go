package counter

import "github.com/chaperone-audit/chaperone/audit"

// checkRecovery: a fresh recovery knows everything, whatever else it may find;
// and what it leaves in the table is bounded.
func (w *world) checkRecovery(s *source) {
	before := s.owner.c.State()
	last := s.log[len(s.log)-1].Offset
	w.digest = before.Digest
	for _, a := range w.actors {
		for a != s.owner && len(a.out) > 0 {
			w.land(a)
		}
		a.dead = a.dead || a != s.owner
	}
	w.claim(s, false)
	if w.err != nil || before.Total == 0 {
		return
	}
	l := s.owner.c.State()
	switch {
	case !w.calm(s) && l.Generation > before.Generation && (l.Start > last || l.cutLog()):
		// A former owner's beginning contradicts the rows: nothing is lost. After a
		// cut it is believed, and the records overlap.
		w.stats["needless generation"]++
	case l.Generation != before.Generation || l.Next <= last:
		w.fail("recovered ledger %+v, before %+v, end %d", l, before, last)
		return
	case !w.vanish && !s.mixed[l.Generation]:
		w.checkRecovered(s, s.owner.c)
	}
	w.checkLeft(s)
}

// checkRecovered compares a counter with the truth at the end of the log.
func (w *world) checkRecovered(s *source, c *Counter) {
	b := s.born[c.led.Generation]
	w.checkLedger(s.owner, &c.led)
	for i, r := range b.rows {
		if g := c.peek(i); i.segment == b.segment && (g == nil || !sameRow(g, r)) {
			w.fail("recovered row %v is %+v, want %+v", i, g, r)
		}
	}
	if c.open != c.Len() || c.Len() > c.led.Windows {
		w.fail("recovered %d rows, open %d, windows per segment %d", c.Len(), c.open, c.led.Windows)
	}
}

// checkLeft: once an owner has stored its position and is confirmed, the table
// holds a row for each window of the open segment and each session that wrote it,
// and one ledger. When the segment is closed, nothing is left of former owners.
// On a compacted log rows may have been found ahead of segments that never come.
func (w *world) checkLeft(s *source) {
	w.settle(s)
	if w.err != nil {
		return
	}
	a := s.owner
	l, table := a.c.durable, w.readTable(s)
	windows, sessions := map[int64]bool{}, map[string]bool{}
	for k := range table {
		if a.c.needed(k) {
			windows[k.Window], sessions[k.Owner] = true, true
		} else {
			w.fail("%v is left in the table, the ledger is %+v", k, l)
		}
	}
	if !w.vanish && !s.mixed[l.Generation] && (len(windows) > l.Windows+1 || len(table) > l.Windows*len(sessions)+1) {
		w.fail("%d keys of %d sessions are left in the table, windows per segment %d", len(table), len(sessions), l.Windows)
	}

	at, past := s.newest, int64(0) // windows never seen close the segment
	for i := range s.log {
		past = max(past, s.log[i].Window)
	}
	for i := range int64(l.Windows) + 1 {
		s.log = append(s.log, Event{Offset: at + i, Window: past - farthest - i, Event: audit.Event{Hash: w.Uint64()}})
	}
	s.show(w.Rand, len(s.log))
	for _, b := range s.born {
		b.old = true // the truth is not known of these
	}
	w.settle(s)
	table = w.readTable(s)
	for k := range table {
		if k.Owner != a.c.owner && !w.vanish {
			w.fail("%v of a former owner is left in the table after its segment was closed, the ledger is %+v", k, a.c.durable)
		}
	}
	if len(table) > l.Windows+1 && !w.vanish || a.c.Stored() != len(table) {
		w.fail("%d keys are left in the table of one session, %d known, windows per segment %d", len(table), a.c.Stored(), l.Windows)
	}
}
