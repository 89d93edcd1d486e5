package counter

import (
	"fmt"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// An actor is a session of an instance that was given the source.
type actor struct {
	c      *Counter
	name   string
	k      int // its configuration
	digest string
	out    []write      // sent in order, not yet arrived
	phase  int          // of the round under way
	wait   map[int]bool // writes not yet acknowledged
	at     Ledger       // to be written in this round
	lost   audit.MissedReason
	dead   bool
	nextID int
}

const (
	idle      = iota
	rowsOut   // rows and records sent
	ledgerOut // ledger sent
	sure      // ledger acknowledged, coordinator not yet asked
)

// claim: the coordinator gives the source to a new owner. It recovers now or,
// if it is slow, later: perhaps when it has lost the source again.
func (w *world) claim(slow bool) {
	w.stats["claims"]++
	a := &actor{name: fmt.Sprint("o", len(w.actors)), k: w.k, digest: w.digest, wait: map[int]bool{}}
	w.actors = append(w.actors, a)
	w.owner = a
	if !slow {
		w.recover(a)
	}
}

// logEnd is the offset of the next message to be written.
func (w *world) logEnd() int64 {
	switch {
	case w.end > 0:
		return w.src[w.end-1].Offset + 1
	case len(w.src) > 0:
		return w.src[0].Offset
	}
	return 0
}

func (w *world) recover(a *actor) {
	table := w.readTable()
	if w.continueAnyBirth {
		table = oneBirth(table)
	}
	newest := max(w.logStart, w.logEnd())
	o := Options{Owner: w.ownerName(a), Windows: a.k, Digest: a.digest}
	if w.wander {
		o.Start = w.Int64N(30)
	}
	c, found := Recover(o, Edges{w.logStart, newest}, table)
	c.hot = w.k % 3 // of so few rows most would else stay decoded
	if w.calm() {
		switch {
		case found.Damaged != nil:
			w.fail("claim %s: %w", a.name, found.Damaged)
		case found.Reason != "" && len(w.born) > 0:
			w.fail("%s begins a new generation: %s, %+v", a.name, found.Reason, c.led.Missed)
		}
	}
	if found.Fresh {
		w.stats["births"]++
		if found.Reason != "" {
			w.stats["births "+string(found.Reason)]++
		}
	}
	a.c = c
	w.spoil(a, found)
	for k, e := range table {
		if found.Fresh && found.Reason != audit.MissedTruncated && e.Row != nil && e.Row.Last >= c.led.Start {
			w.fail("%s begins generation %d at %d, and the table has %+v", a.name, c.led.Generation, c.led.Start, k)
		}
	}
}

func (w *world) ownerName(a *actor) string {
	if w.sharedKeys {
		return ""
	}
	return a.name
}

// step lets an owner, true or former, do one thing.
func (w *world) step(a *actor) {
	if a.dead {
		return
	}
	if a.c == nil {
		if w.IntN(3) == 0 {
			w.recover(a)
		}
		return
	}
	if w.IntN(3) > 0 {
		w.read(a)
	}
	switch a.phase {
	case idle:
		if a.lost != "" && a.c.Idle() && (a == w.owner || w.IntN(50) == 0) { // asks the coordinator, as a rule
			w.restart(a)
		}
		if w.IntN(3) == 0 {
			return
		}
		w.flush(a)
		a.phase = rowsOut
		if w.ledgerEarly {
			w.sendLedger(a)
			a.phase = ledgerOut
		}
	case rowsOut:
		if len(a.wait) == 0 {
			w.sendLedger(a)
			a.phase = ledgerOut
		}
	case ledgerOut:
		if len(a.wait) == 0 {
			a.c.Acked(a.at)
			a.phase = sure
		}
	case sure:
		if w.IntN(2) == 0 {
			return
		}
		a.phase = idle
		if w.owner == a && a.c.fresh {
			w.confirmBirth(&a.c.led)
		}
		if w.owner == a || w.evictUnsure && !a.c.fresh {
			w.tombstones(a)
		}
	}
}

func (w *world) confirmBirth(l *Ledger) {
	b := birth{start: l.Start, k: l.Windows, digest: l.Digest}
	if l.Missed != nil {
		b.reason = l.Missed.Reason
	}
	b.old = w.cutAt >= 0 && b.reason != audit.MissedTruncated
	old, known := w.born[l.Generation]
	if known && (old.start != b.start || old.k != b.k || old.digest != b.digest) {
		w.fail("generation %d is begun twice: %+v and %+v", l.Generation, old, b)
	}
	if !known {
		if w.calm() && len(w.born) > 0 {
			w.fail("generations %v and %d", w.born, l.Generation)
		}
		w.born[l.Generation] = b
		w.fold(l.Generation)
	}
}

// read counts some messages, if the log still has the next.
func (w *world) read(a *actor) {
	switch next := a.c.Next(); {
	case a.lost != "":
		return
	case next < w.logStart:
		a.lost = audit.MissedRetention
		return
	case next > max(w.logStart, w.logEnd()) || a.c.Broken() != nil:
		a.lost = audit.MissedTruncated
		return
	}
	from := a.c.ReadFrom(w.logStart)
	i, _ := slices.BinarySearchFunc(w.src[:w.end], from, func(e Event, o int64) int { return int(e.Offset - o) })
	for n := w.IntN(12); n > 0 && i < w.end; n-- {
		if !w.gone[w.src[i].Offset] || i == w.end-1 { // compaction spares the end of a log
			a.c.Add(&w.src[i])
		}
		i++
	}
	if i == w.end && w.IntN(2) == 0 {
		a.c.Advance(w.logEnd(), -1)
	}
	if w.evictEarly {
		d, f := a.c.durable, a.c.fresh
		a.c.durable = a.c.led
		w.tombstones(a)
		a.c.durable, a.c.fresh = d, f
	}
}

func (w *world) restart(a *actor) {
	start := w.logStart
	if a.lost == audit.MissedTruncated {
		start = max(w.logStart, w.logEnd())
	}
	if err := a.c.Restart(start, a.lost); err != nil {
		w.fail("%s: %w", a.name, err)
	}
	a.lost = ""
	w.stats["restarts"]++
}

func (w *world) flush(a *actor) {
	if w.segmentByClock && w.IntN(3) == 0 {
		rollOver(a.c)
	}
	clear(a.wait)
	if g := a.c.led.Missed; g != nil && !a.c.wrote && !w.silent {
		a.send(write{to: toMissed, m: missedRec{a.c.led.Generation, *g}})
	}
	a.at = a.c.Flush(func(k Key, r *Row) {
		row := r.clone()
		if b, known := w.born[k.Generation]; known && !b.old {
			t := w.content[version{k.Generation, row.Segment, row.Window, row.Last}]
			switch {
			case w.vanish: // what a compacted log says depends on when it is read
			case t == nil:
				w.fail("%s emits generation %d segment %d window %d version %d, which cannot be", a.name, k.Generation, row.Segment, row.Window, row.Last)
			case !sameRow(t, row):
				w.fail("%s emits %+v, truth %+v", a.name, row, t)
			}
		}
		w.sendEntry(a, k, Entry{Row: r})
		a.send(write{to: toAudit, a: auditRec{w.key(k), a.c.led.Start, row}})
		if w.evictOthersRows {
			for _, o := range slices.SortedFunc(maps.Keys(a.c.stored), Key.compare) {
				if !o.Ledger && o.Owner != k.Owner && o.Segment == k.Segment && o.Window == k.Window {
					a.send(write{to: toTable, t: tableRec{o, nil}})
					delete(a.c.stored, o)
				}
			}
		}
	})
}

func (a *actor) send(wr write) {
	a.nextID++
	wr.id = a.nextID
	a.wait[wr.id] = true
	a.out = append(a.out, wr)
}

// sendEntry sends what the table will be able to read.
func (w *world) sendEntry(a *actor, k Key, e Entry) {
	e, err := Decode(e.Append(nil))
	if err != nil {
		w.fail("%s writes %v: %w", a.name, k, err)
	}
	a.send(write{to: toTable, t: tableRec{w.key(k), &e}})
}

func (w *world) sendLedger(a *actor) {
	w.sendEntry(a, a.c.LedgerKey(), Entry{Ledger: &a.at})
}

func (w *world) tombstones(a *actor) {
	for _, k := range a.c.Confirmed() {
		w.stats["evictions"]++
		a.nextID++
		a.out = append(a.out, write{id: a.nextID, to: toTable, t: tableRec{w.key(k), nil}})
	}
}

// die: unsent writes are lost, but for a random prefix that is in the socket.
func (w *world) die(a *actor) {
	a.dead = true
	w.stats["deaths"]++
	for n := []int{0, 1, 1 << 20}[w.IntN(3)]; n >= 0 && w.IntN(4) > 0; n-- {
		w.land(a)
	}
	if w.IntN(2) == 0 && !w.vanish {
		a.out = a.out[:w.IntN(len(a.out)+1)] // arrives later
	} else {
		a.out = nil
	}
	if w.owner == a {
		w.owner = nil
	}
}
