package counter

import (
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// finish lets the last owner catch up, and compares what is left with the truth.
func (w *world) finish() {
	s := w.now()
	s.show(w.Rand, len(s.log))
	if s.owner == nil || w.IntN(2) == 0 {
		if s.owner != nil && w.vanish {
			w.die(s.owner)
		}
		w.claim(s, false)
	}
	for s.owner.c == nil {
		w.step(s.owner)
	}
	if s.cutAt >= 0 { // an owner that has counted beyond the new end notices when it reads
		for range 20 {
			w.read(s.owner)
		}
	}
	w.settle(s)
	for _, a := range w.actors { // what former owners still have in flight
		for range w.IntN(10) {
			w.land(a)
		}
	}
	if w.err != nil {
		return
	}
	if l := s.owner.c.led; w.openEarly {
		s.begin(l.Generation, &birth{start: l.Start, k: l.Windows})
	}
	for _, s := range w.sources {
		w.stats["messages"] += len(s.log)
		w.stats["generations"] += len(s.born)
		w.checkCut(s)
		w.checkTotals(s)
	}
	if w.err == nil {
		w.checkRecovery(s)
	}
}

// settle lets an owner read to the end of the log, and store it.
func (w *world) settle(s *source) {
	a, last := s.owner, s.log[len(s.log)-1].Offset
	done := func() bool {
		return a.c != nil && a.lost == "" && a.c.Next() > last && a.phase == idle && a.c.Idle() && len(a.out) == 0
	}
	for i := 0; w.err == nil && !done(); i++ {
		w.step(a)
		for len(a.out) > 0 {
			w.land(a)
		}
		if i > 10000 {
			w.fail("does not end: next %d of %d, lost %q, phase %d", a.c.Next(), last, a.lost, a.phase)
		}
	}
}

// checkTotals: where nothing was missed, the sum over segments and generations
// is exact; where something was, it is what was not missed at least, and never
// too much. A former owner that went on in its generation beyond the start of
// the next may have counted messages twice; its record shows that, and the
// window is unknown.
func (w *world) checkTotals(s *source) {
	best := w.collect(s)
	got, unknown := w.sums(s, best)
	all, sure := w.truth(s)
	for win := range got {
		if all[win] == nil && !(s.deleted && w.byName) {
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
		case s.deleted && w.byName: // what it counted last is another topic's, and its end is said to be unknown
		case unknown[win] && (w.vanish || !w.calm(s)) && g.Count >= least.Count:
		case g.Count > most.Count || g.Count < least.Count:
			w.fail("collector: window %d has %d, truth %d, of these not missed %d", win, g.Count, most.Count, least.Count)
		case most.Count == least.Count && !g.Equal(most):
			w.fail("collector: window %d has %+v, truth %+v", win, g, most)
		default:
			if most.Count == least.Count {
				w.stats["exact"]++
			}
		}
	}
	if s.deleted || w.vanish {
		return
	}
	if l := s.owner.c.durable; !s.mixed[l.Generation] {
		w.checkTotal(s, &l, best)
	}
}

// checkCut: if the durable ledger had counted what was cut, a new generation
// says so; one that began after the cut is exact, as all others.
func (w *world) checkCut(s *source) {
	l := s.doomed
	if l == nil || s.deleted || s.oldest > l.Last { // deleted before anybody could look at it
		return
	}
	w.stats["cut below a ledger"]++
	if g := s.owner.c.led.Generation; g <= l.Generation {
		w.fail("generation %d goes on as %d, though its log was cut at %d", l.Generation, g, s.cutAt)
	}
	if !slices.ContainsFunc(s.missed, func(m missedRec) bool {
		return m.generation > l.Generation && (m.Reason == audit.MissedTruncated || m.Reason == audit.MissedDamaged)
	}) {
		w.fail("the log was cut at %d, and nobody says so: %+v", s.cutAt, s.missed)
	}
}
