package counter

import (
	"errors"
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// An Entry is what the table holds under a Key: one of the two is set.
type Entry struct {
	Row    *Row
	Ledger *Ledger
}

// Options are what an owner brings. Windows and Digest apply to generations
// that begin; one that exists keeps its own, and another Digest ends it unless it
// is one of Former.
type Options struct {
	Owner   string   // unique per session: see Key
	Windows int      // most windows in a segment; at least 1
	Digest  string   // of codec, bounds and window size
	Former  []Former // digests that this one continues
	Start   int64    // where a source that nobody has counted begins
}

// A Former is a digest under which messages mean what they mean under another one,
// if their record timestamps are earlier than Until, in Unix milliseconds.
type Former struct {
	Digest string
	Until  int64
}

// continues says whether what a ledger has counted means the same under the digest
// of the options, which may follow upon the ledger's or, while a codec is rolled out,
// come before it. Of rows ahead of the ledger that is not known: their messages are
// skipped when they are read again, and nobody else has their timestamps.
func (o *Options) continues(l *Ledger, rowsAhead bool) bool {
	until := func(list []Former, digest string) bool {
		i := slices.IndexFunc(list, func(f Former) bool { return f.Digest == digest })
		return i >= 0 && l.Newest < list[i].Until
	}
	return l.Reading == o.Digest || !rowsAhead && (until(o.Former, l.Reading) || until(l.Former, o.Digest))
}

// Edges are the ends of a log: the first offset that it has, and the next one
// to be written.
type Edges struct{ Oldest, Newest int64 }

// Found says how a counter was recovered.
type Found struct {
	Fresh   bool               // a new generation begins
	Reason  audit.MissedReason // why, if there was one before; what was missed is in its ledger
	Damaged error              // wraps ErrDamaged: say so loudly
}

// ErrDamaged says that the table holds less, or other things, than its ledgers claim.
var ErrDamaged = errors.New("the table does not hold what its ledger claims")

// Recover makes the counter of a source from the edges of its log and the
// entries of the table. It keeps no reference to rows of the table.
//
// Within the highest generation the ledger furthest on is as good as any:
// whoever wrote it, all rows as of its Next were acknowledged. It is continued
// unless the log no longer goes on there, the rows do not add up to it, or messages
// mean something else now. Then a new generation begins: after all that a row has
// counted, so that generations add up.
func Recover(o Options, log Edges, table map[Key]Entry) (*Counter, Found) {
	c := &Counter{owner: o.Owner, rows: map[id]*Row{}, cold: map[id]coldRow{}, stored: make(map[Key]struct{}, len(table)), turn: unknownTurn, hot: hotRows}
	for k := range table {
		c.stored[k] = struct{}{}
	}
	if len(table) == 0 {
		c.begin(newLedger(0, min(max(o.Start, log.Oldest), max(log.Oldest, log.Newest)), &o))
		return c, Found{Fresh: true}
	}
	s := survey(table, log.Oldest)
	led, reason, damage := s.ledger, audit.MissedReason(""), s.damage
	switch {
	case damage != nil:
		reason = audit.MissedDamaged
	case led.Next < log.Oldest:
		reason = audit.MissedRetention
	case led.Next > log.Newest, s.ahead >= log.Newest: // or rows ahead: what they counted is no longer there
		reason = audit.MissedTruncated
	default:
		if damage = c.load(led, table); damage != nil {
			reason = audit.MissedDamaged
		} else if !o.continues(led, c.replayTo > 0) {
			reason = audit.MissedConfig
		}
	}
	if reason == "" {
		c.led.Reading, c.led.Former = o.Digest, o.Former
		return c, Found{}
	}
	start := max(log.Oldest, led.Next, s.high+1)
	if reason == audit.MissedTruncated {
		start = log.Newest
	}
	l := newLedger(s.top+1, start, &o)
	l.Base = led.Base
	switch { // so that a cut of the log is noticed all the same
	case reason == audit.MissedTruncated:
	case start == led.Next:
		l.Last, l.LastHash, l.LastTime = led.Last, led.LastHash, led.LastTime
	case s.last != nil && start == s.high+1:
		if last := s.last.clone(); last.LastHash != 0 { // the whole of it: see Peek
			l.Last, l.LastHash = last.Last, last.LastHash
		}
	}
	l.Missed = led.gap(start, reason)
	if reason == audit.MissedConfig && l.Missed.From == l.Missed.To {
		l.Missed = nil
	}
	c.begin(l)
	return c, Found{Fresh: true, Reason: reason, Damaged: damage}
}

// begin starts a generation. Its ledger must be durable and our ownership sure
// before its first row is written, else a successor could begin the same
// generation at another offset. Flush sees to that.
func (c *Counter) begin(l Ledger) {
	clear(c.rows)
	clear(c.cold)
	clear(c.dirty)
	c.dirty = c.dirty[:0]
	c.open, c.cur, c.ahead, c.turn, c.replayTo, c.replayed = 0, nil, nil, unknownTurn, 0, 0
	c.books = books{counted: c.stats.Counted, off: c.books.off}
	c.led, c.durable = l, l
	c.fresh, c.wrote, c.broken = true, false, nil
}

// load continues a generation: it takes the newest version of every row that
// is still open or ahead, and checks that they hold what the ledger claims.
func (c *Counter) load(led *Ledger, table map[Key]Entry) error {
	c.led, c.durable = *led, *led
	c.fresh = led.Total == 0 // its writer may not have been sure of it
	c.ahead = map[int64]found{}
	for k, e := range table {
		if e.Row == nil || k.Generation != led.Generation {
			continue
		}
		if k.Segment < led.Segment { // closed: only waits for eviction
			if e.Row.Last >= led.Next { // ... and ended before the open one began, unless there were two logs
				return fmt.Errorf("%w: generation %d, segment %d, offset %d: a row of segment %d has counted offset %d",
					ErrDamaged, led.Generation, led.Segment, led.Next, k.Segment, e.Row.Last)
			}
			continue
		}
		i := id{k.Segment, k.Window}
		if old := c.rows[i]; old == nil || e.Row.newer(old) {
			c.rows[i] = e.Row
		}
	}
	var sum, all uint64
	for i, r := range c.rows {
		all += r.Count
		if i.segment == led.Segment {
			// Rows opened after Next are among these. That is harmless: they
			// belong to the segment whether opened now or found open.
			c.open++
			sum += r.Count
		} else {
			f, known := c.ahead[i.segment]
			if f.rows++; !known || r.First < f.first {
				f.first = r.First
			}
			c.ahead[i.segment] = f
		}
		if r.Last >= led.Next {
			// Acknowledged by the table, but perhaps not by the audit topic.
			// The replay would skip all of its messages and never emit it.
			r = r.clone()
			c.rows[i] = r
			c.touch(r)
			if r.Last >= c.replayTo {
				c.replayTo, c.replayed = r.Last+1, r.LastHash
			}
		} else {
			delete(c.rows, i)
			c.store(r)
		}
	}
	c.findTurn()
	c.books = books{gone: led.Total - led.SegmentCount, unread: all - led.SegmentCount}
	if sum < led.SegmentCount || c.replayTo == 0 && sum != led.SegmentCount {
		return fmt.Errorf("%w: generation %d, segment %d, offset %d: rows add up to %d messages, the ledger says %d",
			ErrDamaged, led.Generation, led.Segment, led.Next, sum, led.SegmentCount)
	}
	return nil
}
