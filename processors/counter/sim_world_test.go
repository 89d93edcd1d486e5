package counter

import (
	"fmt"
	"math/rand/v2"

	"github.com/chaperone-audit/chaperone/audit"
)

type world struct {
	// What may happen to the source beside plain growth.
	retention, reconfigure, vanish, truncate bool
	wander                                   bool // owners do not agree on where a source never seen begins
	mistake

	*rand.Rand
	src      []Event
	end      int   // messages visible so far
	logStart int64 // retention
	gone     map[int64]bool
	cutAt    int64 // offset where the log was cut, -1: not yet
	doomed   int64 // highest generation whose durable ledger had counted a message that was then cut, -1 if none
	k        int
	digest   string

	table  []tableRec
	audit  []auditRec
	missed []missedRec
	actors []*actor
	owner  *actor

	born    map[int64]birth // confirmed generations
	content map[version]*Row
	err     error
	stats   map[string]int
}

type birth struct {
	start  int64
	k      int
	digest string
	reason audit.MissedReason
	old    bool // its log was cut afterwards: what it counts is a mixture, and said to be unknown
}

// version names a content, which the law fixes.
type version struct{ generation, segment, window, last int64 }

func (w *world) fail(f string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(f, a...)
	}
}

// calm says that one generation must be enough.
func (w *world) calm() bool { return !w.retention && !w.reconfigure && !w.truncate && !w.wander }

// fold counts the log from the start of a generation the plain way.
func (w *world) fold(generation int64) (rows map[id]*Row, segment int64) {
	b := w.born[generation]
	rows = map[id]*Row{}
	open := map[int64]bool{}
	var first *Event
	for i := range w.src {
		e := &w.src[i]
		if e.Offset < b.start {
			continue
		}
		if first == nil {
			first = e
		}
		if !open[e.Window] {
			if len(open) == b.k {
				segment++
				clear(open)
			}
			open[e.Window] = true
			rows[id{segment, e.Window}] = &Row{Segment: segment, Window: e.Window, First: e.Offset, Partial: b.start > 0 && e.Window*1000 <= first.Time}
		}
		r := rows[id{segment, e.Window}]
		r.Last = e.Offset
		r.Tally.Add(&e.Event)
		w.content[version{generation, segment, e.Window, e.Offset}] = r.clone()
	}
	return rows, segment
}

func sameRow(a, b *Row) bool {
	return a.Segment == b.Segment && a.Window == b.Window && a.First == b.First && a.Last == b.Last && a.Partial == b.Partial && a.Tally.Equal(&b.Tally)
}

// grow makes n more messages of the source.
func (w *world) grow(off int64, n int) {
	spread := []int64{1, 2, 4, 20}[w.IntN(4)] // how far event times are out of order
	for i := range n {
		win := int64(i)*int64(2+w.IntN(6))/40 - w.Int64N(spread)
		if w.IntN(30) == 0 {
			win = w.Int64N(40) // scattered
		}
		w.src = append(w.src, Event{
			Offset: off, Window: win * 10, Time: off * 1000,
			Event: audit.Event{Bytes: w.IntN(100), Hash: w.Uint64(), Latency: w.Int64N(5000) - 100, Class: audit.Class(max(0, w.IntN(40)-36))},
		})
		off++
		if w.IntN(10) == 0 && !w.truncate {
			off += w.Int64N(5) // markers, compaction
		}
	}
}

func simulate(seed uint64, kind world) *world {
	w := &kind
	w.Rand = rand.New(rand.NewPCG(seed, 7))
	w.gone, w.cutAt, w.doomed = map[int64]bool{}, -1, -1
	w.born, w.content, w.stats = map[int64]birth{}, map[version]*Row{}, map[string]int{}
	w.k, w.digest = 1+w.IntN(5), "codec 0"
	n := 5 + w.IntN(200)
	w.grow(int64(w.IntN(3)), n)
	w.end = w.IntN(n + 1)
	zombies := 0.5 * w.Float64()
	if w.vanish {
		zombies = 0 // two readers of a compacted log may see two logs
	}
	for steps := 0; steps < 60+3*n && w.err == nil; steps++ {
		if w.owner == nil {
			w.claim(w.IntN(3) == 0 && !w.vanish)
			continue
		}
		switch r := w.IntN(100); {
		case r < 2:
			if w.Float64() < zombies {
				w.owner = nil // it goes on as a zombie
			} else {
				w.die(w.owner)
			}
		case r < 3:
			w.compactSome(false)
		case r < 10:
			w.end = min(len(w.src), w.end+w.IntN(30))
		case r < 14:
			w.befall(r - 10)
		default:
			a := w.owner
			if w.IntN(3) == 0 {
				a = w.actors[w.IntN(len(w.actors))]
				if a != w.owner && w.IntN(40) == 0 && !a.dead {
					w.die(a)
				}
			}
			w.step(a)
			for range w.IntN(8) {
				w.land(w.actors[w.IntN(len(w.actors))])
				w.land(a)
			}
		}
	}
	if w.err == nil {
		w.finish()
	}
	return w
}

// befall lets something happen to the source.
func (w *world) befall(r int) {
	switch {
	case w.end == 0:
	case len(w.born) == 0 && w.owner.c == nil: // retention before the first count
		w.logStart = max(w.logStart, w.src[w.IntN(w.end)].Offset)
	case r == 0 && w.retention && w.IntN(3) == 0:
		w.logStart = max(w.logStart, w.src[w.IntN(w.end)].Offset)
		w.stats["retention"]++
	case r == 1 && w.reconfigure && w.IntN(3) == 0:
		w.digest = fmt.Sprint("codec ", w.stats["reconfigured"]%3+1)
		w.k = 1 + w.IntN(5)
		w.stats["reconfigured"]++
	case r == 2 && w.vanish:
		for range 5 {
			w.gone[w.src[w.IntN(w.end)].Offset] = true
		}
	case r == 3 && w.truncate && w.cutAt < 0 && w.IntN(5) == 0:
		w.cut()
	}
}

// cut takes the tail off the source; it grows again with other messages.
func (w *world) cut() {
	at := w.IntN(w.end)
	w.cutAt = w.src[at].Offset
	for _, r := range w.table {
		// Of the owner: it may delete a former owner's ledger before anybody reads it.
		if r.val != nil && r.val.Ledger != nil && r.val.Ledger.Last >= w.cutAt && w.owner != nil && r.k.Owner == w.owner.name {
			w.doomed = max(w.doomed, r.k.Generation)
		}
	}
	for g, b := range w.born {
		b.old = true
		w.born[g] = b
	}
	w.src = w.src[:at:at]
	w.grow(w.cutAt, 5+w.IntN(100))
	w.end = at + w.IntN(len(w.src)-at)
	w.stats["cuts"]++
}
