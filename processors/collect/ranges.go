package collect

import (
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// ranges are the offsets that a generation has counted, by its segments. Each
// message belongs to one segment of one generation. Where two have counted the
// same offsets, messages are counted twice: a former owner has gone on in a
// generation that had ended, or the log is not the same for all who read it.
type ranges struct {
	start    int64 // offset at which the generation began, -1 unknown
	cut      bool  // it began where the log was cut: offsets of former generations name other messages
	follows  bool  // it is known that it did not
	said     bool  // that something is wrong with the generation as a whole
	segments []segment
}

// segment is the range of offsets that the windows of a segment span.
type segment struct {
	number, first, last int64
	touched             int64 // append time of the newest record
	said                bool  // that it overlaps
}

// span widens the range of a record's segment, and looks at its neighbours.
func (b *books) span(a *account, g *generation, r *audit.Record) {
	t := r.Tally
	if t.First < 0 {
		return
	}
	if g.start < 0 {
		g.start = t.GenerationStart
	}
	if g.start != t.GenerationStart && !g.said {
		g.said = true
		b.say(Law, r.Source(), "generation %d begins at offset %d and at offset %d", g.number, g.start, t.GenerationStart)
	}
	i := g.segment(r.Segment)
	s := &g.segments[i]
	s.first, s.last, s.touched = min(s.first, t.First), max(s.last, t.Last), b.now
	b.segmentsApart(r.Source(), g, i)
	b.generationsApart(r.Source(), a, slices.Index(a.generations, g))
}

// segment is the index of a segment, made if there is none. New ones come last,
// as a rule.
func (r *ranges) segment(number int64) int {
	i := len(r.segments)
	for ; i > 0 && r.segments[i-1].number >= number; i-- {
		if r.segments[i-1].number == number {
			return i - 1
		}
	}
	r.segments = slices.Insert(r.segments, i, segment{number: number, first: math.MaxInt64, last: -1})
	return i
}

// segmentsApart looks whether a segment lies between its neighbours.
func (b *books) segmentsApart(src audit.Source, g *generation, i int) {
	for j := max(1, i); j <= i+1 && j < len(g.segments); j++ {
		before, after := &g.segments[j-1], &g.segments[j]
		if before.last >= after.first && !after.said {
			after.said = true
			b.say(Overlap, src, "generation %d: segment %d has counted up to offset %d, and segment %d from offset %d on",
				g.number, before.number, before.last, after.number, after.first)
		}
	}
}

// generationsApart looks whether generations end before later ones begin: those
// before the one at an index, and that one.
func (b *books) generationsApart(src audit.Source, a *account, i int) {
	for j := i; j > 0 && a.goesOn(j); j-- {
		b.endsBefore(src, a.generations[j-1], a.generations[i])
	}
	for j := i + 1; j < len(a.generations) && a.goesOn(j); j++ {
		b.endsBefore(src, a.generations[i], a.generations[j])
	}
}

// goesOn says whether the generation at an index is known to go on in the log of
// the one before it.
func (a *account) goesOn(i int) bool {
	return a.generations[i].follows && a.generations[i].number == a.generations[i-1].number+1
}

func (b *books) endsBefore(src audit.Source, before, after *generation) {
	if after.start >= 0 && before.high >= after.start && !before.said {
		before.said = true
		b.say(Overlap, src, "generation %d has counted up to offset %d, and generation %d from offset %d on", before.number, before.high, after.number, after.start)
	}
}
