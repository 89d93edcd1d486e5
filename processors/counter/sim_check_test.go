package counter

import (
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// finish lets the last owner catch up, and compares what is left with the truth.
func (w *world) finish() {
	w.end = len(w.src)
	if w.owner == nil || w.IntN(2) == 0 {
		w.claim(false)
	}
	last := w.src[len(w.src)-1].Offset
	if w.truncate { // an owner that has counted beyond the new end notices when it reads
		for w.owner.c == nil {
			w.step(w.owner)
		}
		for range 20 {
			w.read(w.owner)
		}
	}
	done := func() bool {
		a := w.owner
		return a.c != nil && a.lost == "" && a.c.Next() > last && a.phase == idle && a.c.Idle()
	}
	for i := 0; w.err == nil && !done(); i++ {
		w.step(w.owner)
		for len(w.owner.out) > 0 {
			w.land(w.owner)
		}
		if i > 10000 {
			w.fail("does not end")
		}
	}
	for _, a := range w.actors { // what former owners still have in flight
		for range w.IntN(10) {
			w.land(a)
		}
	}
	if w.err != nil {
		return
	}
	if l := w.owner.c.led; w.openEarly {
		w.born = map[int64]birth{l.Generation: {start: l.Start, k: l.Windows}}
	}
	w.stats["messages"] += len(w.src)
	w.stats["generations"] += len(w.born)
	switch {
	case w.truncate:
		w.checkCut()
	case w.vanish: // what a compacted log says depends on when it is read
	default:
		w.checkTotals()
	}
	if w.err == nil && !w.truncate {
		w.checkRecovery(last)
	}
}

// collect is the collector: records in any order and more than once, after any
// compaction; the highest version of each identity.
func (w *world) collect() map[Key]auditRec {
	w.compactSome(w.IntN(2) == 0)
	recs := append(slices.Clone(w.audit), w.audit[:w.IntN(len(w.audit)+1)]...)
	if !w.collectLastWins {
		w.Shuffle(len(recs), func(i, j int) { recs[i], recs[j] = recs[j], recs[i] })
	}
	best := map[Key]auditRec{}
	for _, r := range recs {
		i := r.key
		i.Owner = ""
		if old, ok := best[i]; !ok || old.row.Last < r.row.Last || w.collectLastWins {
			best[i] = r
		}
	}
	return best
}

// checkTotals: where nothing was missed, the sum over segments and generations
// is exact; where something was, it is what was not missed at least, and never
// too much. A former owner that went on in its generation beyond the start of
// the next may have counted messages twice; its record shows that, and the
// window is unknown.
func (w *world) checkTotals() {
	best := w.collect()
	starts := map[int64]int64{}
	for _, r := range best {
		starts[r.key.Generation] = r.start
	}
	got, unknown := map[int64]*audit.Tally{}, map[int64]bool{}
	for _, r := range best {
		for g, start := range starts {
			if g > r.key.Generation && r.row.Last >= start {
				unknown[r.row.Window] = true
				w.stats["unknown by overlap"]++
			}
		}
		if got[r.row.Window] == nil {
			got[r.row.Window] = &audit.Tally{}
		}
		got[r.row.Window].Merge(&r.row.Tally)
	}

	from := int64(1 << 62)
	for _, b := range w.born {
		from = min(from, b.start)
	}
	if len(w.born) > 1 || !w.calm() {
		for _, m := range w.missed {
			from = min(from, m.From)
		}
	}
	missed := func(o int64) bool {
		return slices.ContainsFunc(w.missed, func(m missedRec) bool { return m.From <= o && o < m.To })
	}
	all, sure := map[int64]*audit.Tally{}, map[int64]*audit.Tally{}
	for i := range w.src {
		e := &w.src[i]
		if e.Offset < from {
			continue
		}
		if all[e.Window] == nil {
			all[e.Window], sure[e.Window] = &audit.Tally{}, &audit.Tally{}
		}
		all[e.Window].Add(&e.Event)
		if !missed(e.Offset) {
			sure[e.Window].Add(&e.Event)
		} else {
			w.stats["messages missed"]++
		}
	}
	for win := range got {
		if all[win] == nil {
			w.fail("collector: window %d holds nothing", win)
		}
	}
	for _, win := range slices.Sorted(maps.Keys(all)) {
		w.stats["windows"]++
		g, most, least := got[win], all[win], sure[win]
		if g == nil {
			g = &audit.Tally{}
		}
		switch {
		case unknown[win] && !w.calm() && g.Count >= least.Count:
		case g.Count > most.Count || g.Count < least.Count:
			w.fail("collector: window %d has %d, truth %d, of these not missed %d", win, g.Count, most.Count, least.Count)
		case most.Count == least.Count && !g.Equal(most):
			w.fail("collector: window %d has %+v, truth %+v", win, g, most)
		default:
			if most.Count == least.Count {
				w.stats["windows exact"]++
			}
		}
	}
}

// checkCut: if the durable ledger had counted what was cut, a new generation
// says so; and a generation that began after the cut is exact.
func (w *world) checkCut() {
	if w.doomed >= 0 {
		w.stats["cut below a ledger"]++
		if w.owner.c.led.Generation <= w.doomed {
			w.fail("generation %d goes on, though its log was cut at %d", w.doomed, w.cutAt)
		}
		if !slices.ContainsFunc(w.missed, func(m missedRec) bool { return m.Reason == audit.MissedTruncated && m.generation > w.doomed }) {
			w.fail("the log was cut at %d, and nobody says so: %+v", w.cutAt, w.missed)
		}
	}
}

// checkRecovery: a fresh recovery knows everything, whatever else it may find.
func (w *world) checkRecovery(last int64) {
	before := w.owner.c.State()
	left := w.owner.c.Stored()
	rows, segment := w.fold(before.Generation)
	w.digest = before.Digest
	w.claim(false)
	if w.err != nil || before.Total == 0 {
		return
	}
	c := w.owner.c
	l := c.State()
	if !w.calm() && l.Generation > before.Generation && l.Start > last {
		w.stats["needless generation"]++ // a former owner's beginning contradicts the rows: nothing is lost
		return
	}
	if l.Generation != before.Generation || l.Next <= last {
		w.fail("recovered ledger %+v, before %+v, end %d", l, before, last)
		return
	}
	if most := (w.k + 6) * (len(w.actors) + 1); left > most {
		w.fail("%d keys left in the table, at most %d expected", left, most)
	}
	if w.vanish {
		return
	}
	var total uint64
	for _, r := range rows {
		total += r.Count
	}
	if l.Segment != segment || l.Total != total {
		w.fail("recovered ledger %+v, want segment %d total %d", l, segment, total)
	}
	for i, r := range rows {
		if g := c.peek(i); i.segment == segment && (g == nil || !sameRow(g, r)) {
			w.fail("recovered row %v is %+v, want %+v", i, g, r)
		}
	}
	if c.open != c.Len() || c.Len() > l.Windows {
		w.fail("recovered %d rows, open %d, windows per segment %d", c.Len(), c.open, l.Windows)
	}
}
