package counter

import (
	"maps"
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// sums adds up the records of each window, and says where they overlap.
func (w *world) sums(s *source, best map[Key]auditRec) (got map[int64]*audit.Tally, unknown map[int64]bool) {
	got, unknown = map[int64]*audit.Tally{}, map[int64]bool{}
	starts := map[int64]int64{}
	for _, r := range best {
		starts[r.key.Generation] = r.start
	}
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
	w.checkSegments(s, best, unknown)
	return got, unknown
}

// checkSegments: the segments of a generation follow one another. On a compacted
// log they may not, if a record reached the audit topic and its row did not reach
// the table: then the next owner, who finds messages gone, may let another message
// begin the segment. The records show it.
func (w *world) checkSegments(s *source, best map[Key]auditRec, unknown map[int64]bool) {
	type segment struct{ generation, segment int64 }
	first, last, torn := map[segment]int64{}, map[segment]int64{}, map[segment]bool{}
	for k, r := range best {
		i := segment{k.Generation, k.Segment}
		if f, ok := first[i]; !ok || r.row.First < f {
			first[i] = r.row.First
		}
		last[i] = max(last[i], r.row.Last)
		if at, ok := w.stored[s.prefix+r.key.String()]; !ok || at < r.row.Last {
			torn[i] = true
		}
	}
	for k, r := range best {
		for i := range first {
			inOrder := i.segment == k.Segment || i.segment > k.Segment && r.row.Last < first[i] || i.segment < k.Segment && last[i] < r.row.First
			if i.generation != k.Generation || inOrder {
				continue
			}
			unknown[r.row.Window] = true
			w.stats["unknown by overlap of segments"]++
			excused := w.vanish && (torn[i] || torn[segment{k.Generation, k.Segment}])
			if !excused && !s.mixed[k.Generation] && !(s.deleted && w.byName) {
				w.fail("generation %d: segment %d has offsets %d to %d, row %+v", k.Generation, i.segment, first[i], last[i], r.row)
			}
		}
	}
}

// truth is what each window of a source can hold, and what it must hold.
func (w *world) truth(s *source) (all, sure map[int64]*audit.Tally) {
	from, until := int64(math.MaxInt64), int64(math.MaxInt64)
	for _, b := range s.born {
		from = min(from, b.start)
	}
	for _, m := range s.missed {
		if m.From < m.To && !w.wander { // what was missed before the first that was confirmed; if they agreed at all
			from = min(from, m.From)
		}
	}
	if s.deleted { // the end of its log is said to be unknown, from the newest ledger on
		until = 0
		if l := newest(w.readTable(s)); l != nil {
			until = l.Next
		}
	}
	// Between the cut and the first generation that began after it nobody knows. If
	// the cut was said more than once, because former owners went on in the old log
	// and contradicted who had said it, the last time counts.
	mixed, said := int64(math.MaxInt64), int64(0)
	for _, m := range s.missed {
		if m.Reason == audit.MissedTruncated {
			said = max(said, m.generation)
		}
	}
	for g, b := range s.born {
		if b.afterCut && g >= said {
			mixed = min(mixed, b.start)
		}
	}
	isMixed := s.isMixed()
	known := func(o int64) bool {
		return o < until && !s.gone[o] && (!isMixed || o < s.cutAt || o >= mixed) &&
			!slices.ContainsFunc(s.missed, func(m missedRec) bool { return m.From <= o && o < m.To })
	}
	all, sure = map[int64]*audit.Tally{}, map[int64]*audit.Tally{}
	count := func(e *Event, known bool) {
		if e.Offset < from {
			return
		}
		if all[e.Window] == nil {
			all[e.Window], sure[e.Window] = &audit.Tally{}, &audit.Tally{}
		}
		all[e.Window].Add(&e.Event)
		if known {
			sure[e.Window].Add(&e.Event)
		} else {
			w.stats["messages not known"]++
		}
	}
	for i := range s.log[:s.end] {
		count(&s.log[i], known(s.log[i].Offset))
	}
	if isMixed {
		for i := range s.tail {
			count(&s.tail[i], false)
		}
	}
	return all, sure
}

// isMixed says that somebody has counted what was then cut.
func (s *source) isMixed() bool { return slices.Contains(slices.Collect(maps.Values(s.mixed)), true) }

// newest is the ledger furthest on.
func newest(table map[Key]Entry) (best *Ledger) {
	for _, e := range table {
		if l := e.Ledger; l != nil && (best == nil || l.Beats(best, 0)) {
			best = l
		}
	}
	return best
}
