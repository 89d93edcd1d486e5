package counter

import "slices"

// What is in the table, on the audit topic, and on its way to them.
type tableRec struct {
	k   Key
	val *Entry // nil: tombstone
}

type auditRec struct {
	key   Key // identity and owner
	start int64
	row   *Row
}

// missedRec has the generation after the gap; equal ones replace each other.
type missedRec struct {
	generation int64
	Gap
}

type write struct {
	id int
	to int
	t  tableRec
	a  auditRec
	m  missedRec
}

const (
	toTable = iota
	toAudit
	toMissed
)

func (w *world) key(k Key) Key {
	if w.sharedKeys {
		k.Owner = ""
	}
	return k
}

// land lets the next write of an owner arrive in its log, in order per log;
// its acknowledgement may come at once, later, or (dead owner) never.
func (w *world) land(a *actor) {
	audit := w.IntN(2) == 0
	for i, wr := range a.out {
		if (wr.to != toTable) != audit {
			continue
		}
		switch wr.to {
		case toTable:
			w.table = append(w.table, wr.t)
		case toAudit:
			w.audit = append(w.audit, wr.a)
		case toMissed:
			w.missed = append(w.missed, wr.m)
		}
		if a != w.owner {
			w.stats["zombie writes"]++
		}
		a.out = slices.Delete(a.out, i, i+1)
		delete(a.wait, wr.id)
		return
	}
}

// readTable is what a recovery finds.
func (w *world) readTable() map[Key]Entry {
	read := w.table
	if w.hastyCompaction && w.IntN(2) == 0 {
		read = w.readWhileCompacted()
	}
	table := map[Key]Entry{}
	rows := map[Key]Key{} // for lastWins
	for _, r := range read {
		if r.val == nil {
			delete(table, r.k)
			continue
		}
		if old, ok := table[r.k]; ok && !w.lastWins && old.version() > r.val.version() {
			continue // only with shared keys
		}
		if w.lastWins && r.val.Row != nil { // over all owners
			i := r.k
			i.Owner = ""
			delete(table, rows[i])
			rows[i] = r.k
		}
		table[r.k] = *r.val
	}
	return table
}

func (e Entry) version() int64 {
	if e.Row != nil {
		return e.Row.Last
	}
	return e.Ledger.Next
}

// readWhileCompacted is a reader at a random place while zombies write and the
// cleaner runs.
func (w *world) readWhileCompacted() []tableRec {
	end, at := len(w.table), w.IntN(len(w.table)+1)
	read := slices.Clone(w.table[:at])
	for range 6 {
		for _, a := range w.actors {
			w.land(a)
			w.step(a)
		}
	}
	last := map[Key]int{}
	for i, r := range w.table {
		last[r.k] = i
	}
	for i := at; i < end; i++ {
		if last[w.table[i].k] <= i {
			read = append(read, w.table[i])
		}
	}
	return read
}

// compact removes what log compaction may: anything but the last record of a key.
// A tombstone may go too once nothing older is left of its key.
func compact[T any](w *world, log []T, key func(T) Key, tomb func(T) bool, all bool) []T {
	last := map[Key]int{}
	for i, r := range log {
		last[key(r)] = i
	}
	older := map[Key]bool{}
	p := w.IntN(4)
	var out []T
	for i, r := range log {
		k := key(r)
		if last[k] != i && (all || w.IntN(4) <= p) {
			continue
		}
		if last[k] == i && tomb(r) && !older[k] && (all || w.IntN(2) == 0) {
			continue
		}
		older[k] = true
		out = append(out, r)
	}
	return out
}

func (w *world) compactSome(all bool) {
	w.stats["compactions"]++
	w.table = compact(w, w.table, func(r tableRec) Key { return r.k }, func(r tableRec) bool { return r.val == nil }, all)
	w.audit = compact(w, w.audit, func(r auditRec) Key { return r.key }, func(auditRec) bool { return false }, all)
}
