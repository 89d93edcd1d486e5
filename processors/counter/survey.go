package counter

import (
	"fmt"

	"github.com/chaperone-audit/chaperone/audit"
)

// A surveyed table: the ledger to continue, and the bounds of what is in it.
type surveyed struct {
	ledger *Ledger // never nil
	top    int64   // highest generation
	high   int64   // highest offset that a row has counted, -1 if none
	last   *Row    // that row
	ahead  int64   // ... that a row of the highest generation has counted
	damage error   // why no generation can be continued; ledger then says where the gap begins
}

// survey chooses the ledger to go on from.
//
// A generation may have been begun twice, by owners who did not see each
// other's ledger. While nobody has counted anything in it, its ledgers do not
// tell which one was confirmed, and has rows on their way: not even if the log no
// longer reaches back to it. None may be continued: rows of one generation but of
// different starts would break the law. A new generation is always safe.
func survey(table map[Key]Entry, oldest int64) surveyed {
	s := surveyed{top: -1, high: -1, ahead: -1}
	lowest := int64(-1) // first offset that a row has counted
	former := int64(-1) // highest offset that a row of a former generation has counted
	for k, e := range table {
		s.top = max(s.top, k.Generation)
		if e.Row != nil {
			if s.last == nil || e.Row.newer(s.last) {
				s.high, s.last = e.Row.Last, e.Row
			}
			if lowest < 0 || e.Row.First < lowest {
				lowest = e.Row.First
			}
		}
	}
	for k, e := range table {
		switch {
		case e.Row == nil:
		case k.Generation < s.top:
			former = max(former, e.Row.Last)
		default:
			s.ahead = max(s.ahead, e.Row.Last)
		}
		if l := e.Ledger; l != nil && (s.ledger == nil || l.Beats(s.ledger, oldest)) {
			s.ledger = l
		}
	}
	switch l := s.ledger; {
	case l == nil:
		from := max(0, lowest)
		s.ledger = &Ledger{Generation: s.top, Start: from, Next: from, Last: -1}
		s.damage = fmt.Errorf("%w: rows of generation %d and no ledger", ErrDamaged, s.top)
	case l.Generation < s.top:
		s.damage = fmt.Errorf("%w: rows of generation %d and no ledger newer than of generation %d", ErrDamaged, s.top, l.Generation)
	case l.Total > 0:
	case former >= l.Start && !l.cutLog():
		s.damage = fmt.Errorf("%w: generation %d was to begin at %d, and a former one has counted up to %d", ErrDamaged, l.Generation, l.Start, former)
		for _, e := range table { // nothing is missed before the furthest ledger
			if o := e.Ledger; o != nil && o.Total > 0 && o.Next > s.ledger.Next {
				s.ledger = o
			}
		}
	case l.Next < oldest: // not continued anyway
	default:
		for _, e := range table {
			if o := e.Ledger; o != nil && o.Generation == l.Generation && !o.sameBirth(l) {
				s.damage = fmt.Errorf("%w: generation %d was begun twice, at %d and %d", ErrDamaged, l.Generation, l.Start, o.Start)
				break
			}
		}
	}
	return s
}

// Beats says whether l is the better ledger to go on from, of a log whose oldest
// offset is known. Among those that have counted nothing the log must still have
// what comes next; then the lowest start is the one that misses least.
func (l *Ledger) Beats(o *Ledger, oldest int64) bool {
	switch {
	case l.Generation != o.Generation:
		return l.Generation > o.Generation
	case l.Total > 0 || o.Total > 0:
		return o.Total == 0 || l.Total > 0 && l.Next > o.Next
	case (l.Next >= oldest) != (o.Next >= oldest):
		return l.Next >= oldest
	case l.Start != o.Start:
		return l.Start < o.Start
	}
	return l.Next > o.Next
}

func (l *Ledger) sameBirth(o *Ledger) bool {
	return l.Start == o.Start && l.Windows == o.Windows && l.Digest == o.Digest && l.Base == o.Base
}

// cutLog says that the generation follows a cut of the log: offsets of former
// generations beyond its start name other messages.
func (l *Ledger) cutLog() bool { return l.Missed != nil && l.Missed.Reason == audit.MissedTruncated }
