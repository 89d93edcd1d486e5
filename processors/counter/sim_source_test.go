package counter

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// source is a source partition, and the truth about it. A topic that was deleted
// and made again is another source: it has another id.
type source struct {
	audit.Source
	prefix string // of its keys in the table

	log     []Event
	end     int   // messages visible so far
	newest  int64 // offset of the next message to be written, which may be behind markers
	oldest  int64 // retention
	gone    map[int64]bool
	tail    []Event        // what was visible when the log was cut, and is not any more
	cutAt   int64          // offset where it was cut, -1: not yet
	doomed  *Ledger        // a durable one, of the highest generation, that had counted what was then cut
	mixed   map[int64]bool // generations that have counted what was then cut
	deleted bool           // the topic was, and was made again

	owner   *actor
	counted bool             // somebody has recovered it
	born    map[int64]*birth // confirmed generations
	reached map[int64]int64  // by generation: the highest offset that anybody has counted
	befell  int              // what has happened beside growth
	missed  []missedRec
	content map[version]*Row
}

// birth is a generation that was confirmed, with what it must say.
type birth struct {
	start    int64
	k        int
	digest   string
	old      bool // what it counts is a mixture of two logs
	afterCut bool // ... and this is of the second one alone

	rows    map[id]*Row // at the end of the log
	segment int64
	at      []position
}

func (b *birth) String() string {
	return fmt.Sprintf("start %d, %d windows per segment, %s", b.start, b.k, b.digest)
}

// position is the ledger behind a message.
type position struct {
	last, segment    int64
	inSegment, total uint64
	cut              int64
}

// version names a content, which the law fixes.
type version struct{ generation, segment, window, last int64 }

func newSource(incarnation int, withoutID bool) *source {
	s := &source{Source: audit.Source{Cluster: "c", Topic: "orders", Partition: 3}, gone: map[int64]bool{}, cutAt: -1,
		born: map[int64]*birth{}, reached: map[int64]int64{}, content: map[version]*Row{}, mixed: map[int64]bool{}}
	if !withoutID {
		s.TopicID[15] = byte(incarnation + 1)
	}
	s.prefix = SourcePrefix(s.Source)
	return s
}

// begin notes a confirmed generation, and counts the log from there the plain way.
func (s *source) begin(generation int64, b *birth) {
	s.born[generation] = b
	s.fold(generation)
}

func (s *source) fold(generation int64) {
	b := s.born[generation]
	b.rows, b.segment, b.at = map[id]*Row{}, 0, nil
	maps.DeleteFunc(s.content, func(v version, _ *Row) bool { return v.generation == generation })
	open := map[int64]bool{}
	cut := int64(NoCut)
	p := position{}
	for i := range s.log {
		e := &s.log[i]
		if e.Offset < b.start {
			continue
		}
		if p.total == 0 && b.start > 0 {
			if cut = e.Time; cut < 0 {
				cut = math.MaxInt64
			}
		}
		if !open[e.Window] {
			if len(open) == b.k {
				b.segment++
				clear(open)
				p.inSegment = 0
			}
			open[e.Window] = true
			partial := cut != NoCut && e.Window <= cut/1000
			b.rows[id{b.segment, e.Window}] = &Row{Segment: b.segment, Window: e.Window, First: e.Offset, Partial: partial}
		}
		r := b.rows[id{b.segment, e.Window}]
		r.Last, r.LastHash = e.Offset, e.Hash
		r.Tally.Add(&e.Event)
		s.content[version{generation, b.segment, e.Window, e.Offset}] = r.clone()
		p = position{last: e.Offset, segment: b.segment, inSegment: p.inSegment + 1, total: p.total + 1, cut: cut}
		b.at = append(b.at, p)
	}
}

// before is the ledger of a generation at an offset.
func (b *birth) before(next int64) position {
	i, _ := slices.BinarySearchFunc(b.at, next, func(p position, o int64) int { return int(p.last - o) })
	if i == 0 {
		return position{last: -1, cut: NoCut}
	}
	return b.at[i-1]
}

func sameRow(a, b *Row) bool {
	return a.Segment == b.Segment && a.Window == b.Window && a.First == b.First && a.Last == b.Last && a.LastHash == b.LastHash &&
		a.Partial == b.Partial && a.Tally.Equal(&b.Tally)
}

// A shape of a log.
type shape struct {
	gaps    bool  // between offsets
	spread  int64 // how far event times are out of order
	hostile int   // way in which event times are: see window
	stride  int64
}

const (
	ways     = 5
	farthest = math.MaxInt64 / 1000 // seconds: times are given in milliseconds
)

// window is the event time of the i-th message: near its offset, as a rule.
func (h *shape) window(r *rand.Rand, i, offset int64) int64 {
	switch h.hostile {
	case 1: // each message another window
		return offset * 10
	case 2: // ... into the past
		return -i * 10
	case 3: // few windows, in turns, one more than a segment holds at times
		return i % h.stride * 10
	case 4: // the ends of time
		return []int64{farthest - i, i - farthest, 0, farthest, -farthest}[r.IntN(5)]
	case 5: // anything
		return (r.Int64() - r.Int64()) / 1000
	}
	w := i*(2+r.Int64N(6))/40 - r.Int64N(h.spread)
	if r.IntN(30) == 0 {
		w = r.Int64N(40) // scattered
	}
	return w * 10
}

// grow makes n more messages, from an offset on.
func (s *source) grow(r *rand.Rand, h *shape, off int64, n int) {
	for i := range int64(n) {
		e := Event{
			Offset: off, Window: h.window(r, i, off), Time: off * 1000,
			Event: audit.Event{Bytes: r.IntN(100), Hash: r.Uint64(), Latency: r.Int64N(5000) - 100, Class: audit.Class(max(0, r.IntN(40)-36))},
		}
		e.Moment = e.Hash * 0x9e3779b97f4a7c15
		if h.hostile > 0 && r.IntN(4) == 0 {
			e.Time = []int64{-1, 0, r.Int64(), math.MaxInt64}[r.IntN(4)] // no clock is to be trusted, no broker's either
		}
		s.log = append(s.log, e)
		off++
		if h.gaps && r.IntN(10) == 0 {
			off += []int64{1, 2, 3, 4, 70}[r.IntN(5)] // markers, an aborted transaction, compaction
		}
	}
}

// show makes n more messages visible, and perhaps the markers behind them.
func (s *source) show(r *rand.Rand, n int) {
	s.end = min(len(s.log), s.end+n)
	low, high := int64(0), int64(0)
	if s.end > 0 {
		low = s.log[s.end-1].Offset + 1
		high = low
	}
	if s.end < len(s.log) {
		high = s.log[s.end].Offset
	}
	s.newest = max(s.newest, low+r.Int64N(high-low+1))
}

// edges are what a broker answers.
func (s *source) edges() Edges { return Edges{s.oldest, max(s.oldest, s.newest)} }

// cut takes the tail off the log; it grows again with other messages. A
// generation of which nobody has read so far has noticed nothing, and never will.
func (s *source) cut(r *rand.Rand, h *shape) bool {
	at := r.IntN(s.end)
	if s.log[at].Offset < s.oldest {
		return false
	}
	s.cutAt = s.log[at].Offset
	s.tail = slices.Clone(s.log[at:s.end])
	s.log = s.log[:at:at]
	s.grow(r, h, s.cutAt, 5+r.IntN(100))
	s.end, s.newest = at, s.cutAt
	s.show(r, r.IntN(len(s.log)-at))
	for g, reached := range s.reached {
		s.mixed[g] = reached >= s.cutAt
	}
	for g, b := range s.born {
		if b.old = s.mixed[g]; !b.old {
			s.fold(g)
		}
	}
	return true
}
