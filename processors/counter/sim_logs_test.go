package counter

import (
	"slices"
	"strings"
)

// What is in the table, on the audit topic, and on its way to them.
type tableRec struct {
	key string // as it is in the topic
	src *source
	k   Key
	val *Entry // nil: tombstone
}

type auditRec struct {
	src   *source
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
	id   int
	to   int
	t    tableRec
	a    auditRec
	m    missedRec
	asks bool // somebody waits for it: rows, ledgers; not tombstones
}

const (
	toTable = iota
	toAudit
	toMissed
)

func (w *world) key(k Key) Key {
	if w.sharedKeys {
		k.Owner = "shared"
	}
	return k
}

// land lets the next write of an owner arrive in its log, in order per log;
// its acknowledgement may come at once, later, or (dead owner) never.
func (w *world) land(a *actor) {
	audit := w.IntN(2) == 0
	for i, wr := range a.out {
		if (wr.to != toTable) == audit {
			w.arrive(a, i)
			return
		}
	}
}

// arrive lets a write arrive that is the first of its log.
func (w *world) arrive(a *actor, i int) {
	wr := a.out[i]
	switch wr.to {
	case toTable:
		w.table = append(w.table, wr.t)
		if e := wr.t.val; e != nil && e.Row != nil {
			w.stored[wr.t.key] = max(w.stored[wr.t.key], e.Row.Last)
		}
	case toAudit:
		w.audit = append(w.audit, wr.a)
	case toMissed:
		a.src.missed = append(a.src.missed, wr.m)
	}
	if wr.asks {
		a.account.landed++
	}
	if a != a.src.owner {
		w.stats["zombie-writes"]++
	}
	a.out = slices.Delete(a.out, i, i+1)
	delete(a.wait, wr.id)
}

// readTable is what a recovery finds of a source, read from the text of the keys
// as package count does.
func (w *world) readTable(s *source) map[Key]Entry {
	read := w.table
	if w.hastyCompaction && w.IntN(2) == 0 {
		read = w.readWhileCompacted()
	}
	live := map[string]*tableRec{}
	newest := map[Key]string{} // for lastWins: over all owners
	for i := range read {
		r := &read[i]
		if !strings.HasPrefix(r.key, s.prefix) {
			continue
		}
		if r.val == nil {
			delete(live, r.key)
			continue
		}
		if old := live[r.key]; old != nil && !w.lastWins && old.val.version() > r.val.version() {
			continue // only with shared keys
		}
		if w.lastWins && r.val.Row != nil {
			i := r.k
			i.Owner = ""
			delete(live, newest[i])
			newest[i] = r.key
		}
		live[r.key] = r
	}
	table := make(map[Key]Entry, len(live))
	for key, r := range live {
		src, rest, err := ParseSource(key)
		k, bad := ParseKey(rest)
		if err != nil || bad != nil || src != s.Source || k != r.k {
			w.fail("key %q is read as %v of %v: %v, %v", key, k, src, err, bad)
		}
		table[k] = *r.val
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
			if w.land(a); a.c != nil {
				w.step(a)
			}
		}
	}
	last := map[string]int{}
	for i, r := range w.table {
		last[r.key] = i
	}
	for i := at; i < end; i++ {
		if last[w.table[i].key] <= i {
			read = append(read, w.table[i])
		}
	}
	return read
}

// compact removes what log compaction may: anything but the last record of a key.
// A tombstone may go too once nothing older is left of its key.
func compact[T any, K comparable](w *world, log []T, key func(T) K, tomb func(T) bool, all bool) []T {
	last := map[K]int{}
	for i, r := range log {
		last[key(r)] = i
	}
	older := map[K]bool{}
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
	w.table = compact(w, w.table, func(r tableRec) string { return r.key }, func(r tableRec) bool { return r.val == nil }, all)
	type auditKey struct {
		src *source
		Key
	}
	w.audit = compact(w, w.audit, func(r auditRec) auditKey { return auditKey{r.src, r.key} }, func(auditRec) bool { return false }, all)
}

// collect is the collector: records of a source in any order and more than once,
// after any compaction; the highest version of each identity.
func (w *world) collect(s *source) map[Key]auditRec {
	w.compactSome(w.IntN(2) == 0)
	recs := append(slices.Clone(w.audit), w.audit[:w.IntN(len(w.audit)+1)]...)
	if !w.collectLastWins {
		w.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
	}
	best := map[Key]auditRec{}
	for _, r := range recs {
		if r.src.prefix != s.prefix {
			continue
		}
		i := r.key
		i.Owner = ""
		if old, ok := best[i]; !ok || old.row.Last < r.row.Last || w.collectLastWins {
			best[i] = r
		}
	}
	return best
}
