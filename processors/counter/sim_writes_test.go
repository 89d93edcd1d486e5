package counter

import (
	"maps"
	"slices"
)

// flush sends what has changed, and checks it.
func (w *world) flush(a *actor) {
	s := a.src
	if w.segmentByClock && w.IntN(3) == 0 {
		rollOver(a.c)
	}
	clear(a.wait)
	if g := a.c.led.Missed; g != nil && !a.c.wrote && !w.silent {
		a.send(&write{to: toMissed, m: missedRec{a.c.led.Generation, *g}})
	}
	a.at = a.c.Flush(func(k Key, r *Row) {
		row := r.clone()
		w.say("%s sends %v first %d last %d count %d", a.name, k, r.First, r.Last, r.Count)
		w.checkRow(a, k, row)
		w.sendEntry(a, k, Entry{Row: r})
		a.send(&write{to: toAudit, a: auditRec{s, w.key(k), a.c.led.Start, row}})
		if w.evictOthersRows {
			for _, o := range slices.SortedFunc(maps.Keys(a.c.stored), Key.compare) {
				if !o.Ledger && o.Owner != k.Owner && o.Segment == k.Segment && o.Window == k.Window {
					a.send(&write{to: toTable, t: w.tableRec(s, o, nil)})
					delete(a.c.stored, o)
				}
			}
		}
	})
	w.balance(a)
}

// checkRow compares a row with the truth at its version.
func (w *world) checkRow(a *actor, k Key, row *Row) {
	b, known := a.src.born[k.Generation]
	if !known || b.old || w.vanish { // what a compacted log says depends on when it is read
		return
	}
	switch t := a.src.content[version{k.Generation, row.Segment, row.Window, row.Last}]; {
	case t == nil:
		w.fail("%s emits generation %d segment %d window %d version %d, which cannot be", a.name, k.Generation, row.Segment, row.Window, row.Last)
	case !sameRow(t, row):
		w.fail("%s emits %+v, truth %+v", a.name, row, t)
	}
}

func (a *actor) send(wr *write) {
	a.nextID++
	wr.id, wr.asks = a.nextID, true
	a.account.sent++
	a.wait[wr.id] = true
	a.out = append(a.out, wr)
}

func (w *world) tableRec(s *source, k Key, val *Entry) tableRec {
	k = w.key(k)
	return tableRec{s.prefix + k.String(), s, k, val}
}

// sendEntry sends what the table will be able to read.
func (w *world) sendEntry(a *actor, k Key, e Entry) {
	e, err := Decode(e.Append(nil))
	if err != nil {
		w.fail("%s writes %v: %w", a.name, k, err)
	}
	a.send(&write{to: toTable, t: w.tableRec(a.src, k, &e)})
}

func (w *world) sendLedger(a *actor) {
	w.sendEntry(a, a.c.LedgerKey(), Entry{Ledger: &a.at})
}

func (w *world) tombstones(a *actor) {
	for _, k := range a.c.Confirmed() {
		w.stats["evictions"]++
		a.nextID++
		a.out = append(a.out, &write{id: a.nextID, to: toTable, t: w.tableRec(a.src, k, nil)})
	}
}

// die: of the unsent writes any prefix is in the socket; some of the others
// arrive later, some never.
func (w *world) die(a *actor) {
	a.dead = true
	w.stats["deaths"]++
	waiting := len(a.out)
	for range w.IntN(len(a.out) + 1) {
		w.land(a)
	}
	kept := 0
	if w.IntN(2) == 0 && !w.vanish {
		kept = w.IntN(len(a.out) + 1)
	}
	for _, wr := range a.out[kept:] {
		if wr.asks {
			a.account.lost++
		}
	}
	w.say("%s dies with %d writes under way, %d arrive later", a.name, waiting, kept)
	a.out = a.out[:kept]
	if a.src.owner == a {
		a.src.owner = nil
	}
}
