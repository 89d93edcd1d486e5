package counter

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// An Event is what the counter needs to know of one message.
type Event struct {
	Offset int64
	Window int64 // start, Unix seconds; depends on the message alone, never on a clock
	Time   int64 // record timestamp, Unix milliseconds; negative if there is none
	// Arrival is the milliseconds from the event time until the message was read, or
	// audit.NoLatency; ignored unless Class is Timed. It is all here that depends on a clock.
	Arrival int64
	audit.Event
}

// A Counter counts one source. It is not safe for concurrent use.
type Counter struct {
	owner string
	led   Ledger         // as of the next offset to count
	rows  map[id]*Row    // of the open segment, of later ones found ahead, and of closed ones not yet durable
	cold  map[id]coldRow // such rows that rest, encoded; none is in both
	open  int            // rows of the open segment
	cur   *Row           // the row of the last message; of the open segment
	dirty []*Row
	hot   int // see hotRows

	ahead    map[int64]found // later segments that recovery found rows of
	turn     int64           // where the next segment begins, if a row found ahead says so
	replayTo int64           // below this, messages may be in rows already; 0 when past it
	replayed uint64          // hash of the last message before replayTo, 0 if not known

	fresh   bool             // the generation is not yet sure: see Confirmed
	durable Ledger           // the last one acknowledged
	wrote   bool             // ... and it is under our own key
	ask     bool             // there is a reason to ask for confirmation
	stored  map[Key]struct{} // what the table may hold of this source
	broken  error
	stats   Stats
	books   books
}

// id names a row within a generation.
type id struct{ segment, window int64 }

// found is what recovery found of a segment that the ledger has not reached.
type found struct {
	rows  int
	first int64 // lowest first offset of them
}

// unknownTurn is above every offset.
const unknownTurn = math.MaxInt64

// Stats are counts since the counter was made, for metrics. Each message handed
// to Add is in one of them.
type Stats struct {
	Counted  uint64 // folded into rows
	Replayed uint64 // read again after a restart, when their row had them already
	Again    uint64 // the last one counted, read again to be compared
	Below    uint64 // others below Next: a reader should not give them
	Dropped  uint64 // came when the counter was broken
}

// Messages is how many were handed to Add.
func (s *Stats) Messages() uint64 { return s.Counted + s.Replayed + s.Again + s.Below + s.Dropped }

// ErrTruncated is wrapped by what Broken returns.
var ErrTruncated = errors.New("the log was cut below what had been counted, and grew again")

// Add counts a message. Offsets rise; gaps between them are normal: compaction,
// transaction markers. What lies below Next is skipped, but if it is the last
// message counted it must be the same one: else the log was cut and has grown
// again, the counter is broken, and counts nothing more until Restart. So must
// be the last message of the rows that recovery found ahead.
func (c *Counter) Add(e *Event) {
	if e.Offset < c.led.Next {
		if e.Offset == c.led.Last {
			c.stats.Again++
			c.compare(e, c.led.LastHash)
		} else {
			c.stats.Below++
		}
		return
	}
	if e.Offset+1 == c.replayTo && c.replayed != 0 {
		c.compare(e, c.replayed)
	}
	if c.broken != nil {
		c.stats.Dropped++
		return
	}
	if c.led.Total == 0 {
		c.led.cut(e.Time)
	}
	for e.Offset >= c.turn {
		c.nextSegment()
	}
	r := c.cur
	if r == nil || r.Window != e.Window {
		r = c.row(e)
		c.cur = r
	}
	l := &c.led
	l.Next = e.Offset + 1
	l.SegmentCount++
	l.Total++
	l.Last, l.LastHash, l.LastTime = e.Offset, e.Hash, e.Time
	l.Newest = max(l.Newest, e.Time)
	if e.Offset <= r.Last {
		c.stats.Replayed++
		c.books.unread--
		return
	}
	r.Last, r.LastHash = e.Offset, e.Hash
	r.Tally.Add(&e.Event)
	if e.Class == audit.Timed && e.Arrival != audit.NoLatency {
		r.Arrival.Add(e.Arrival)
	}
	c.stats.Counted++
	c.touch(r)
}

// Advance says that there is nothing to count before next: what lay there was
// transaction markers, aborted batches, or compacted away. The epoch is the
// leader epoch of the log before next, -1 if the reader does not know it: an older
// one that was known says nothing about what has been read since.
func (c *Counter) Advance(next int64, epoch int32) {
	if c.broken != nil {
		return
	}
	if next >= c.led.Next { // else the run is read again
		c.led.Next, c.led.Epoch = next, epoch
	}
}

// compare looks at a message that was the last one counted when it is read again.
func (c *Counter) compare(e *Event, hash uint64) {
	if e.Hash != hash && c.broken == nil {
		c.broken = fmt.Errorf("offset %d: another message than the one counted: %w", e.Offset, ErrTruncated)
	}
}

// row finds or opens the row of a message. Segments begin where the log says
// so: at the message that would open one window too many.
func (c *Counter) row(e *Event) *Row {
	if r := c.find(id{c.led.Segment, e.Window}); r != nil {
		return r
	}
	if c.open >= c.led.Windows {
		c.nextSegment()
		if r := c.find(id{c.led.Segment, e.Window}); r != nil {
			return r
		}
	}
	r := &Row{Segment: c.led.Segment, Window: e.Window, First: e.Offset, Last: -1, Partial: c.led.Cuts(e.Window)}
	c.rows[id{r.Segment, r.Window}] = r
	c.open++
	return r
}

// nextSegment turns to the next segment.
func (c *Counter) nextSegment() {
	if c.replayTo > 0 {
		c.settleSegment()
	}
	c.led.Segment++
	c.led.SegmentCount = 0
	c.cur = nil
	c.open = c.ahead[c.led.Segment].rows
	if c.open > 0 && c.replayTo == 0 { // the replay has passed it by: see settle
		c.led.SegmentCount = c.openSum()
	}
	delete(c.ahead, c.led.Segment)
	c.findTurn()
}

// findTurn looks up where the segment after the open one begins. On a log that
// keeps its messages that is where row would turn anyway. On a compacted one the
// message that opened the segment may be gone when its run is read again, and
// without this the rest of the run would be counted into the old segment too.
func (c *Counter) findTurn() {
	c.turn = unknownTurn
	if f, ok := c.ahead[c.led.Segment+1]; ok {
		c.turn = f.first
	}
}

func (c *Counter) touch(r *Row) {
	if !r.dirty {
		r.dirty = true
		c.dirty = append(c.dirty, r)
	}
}

// Next is the first offset not counted.
func (c *Counter) Next() int64 { return c.led.Next }

// ReadFrom is where a reader opens the log, which begins at oldest: at the last
// message counted if the log may still have it, so that Add can compare it, else
// at Next.
func (c *Counter) ReadFrom(oldest int64) int64 {
	if last := c.led.Last; last >= 0 && last >= oldest {
		return last
	}
	return c.led.Next
}

// Broken is not nil when the log is not the one that was counted; see Restart.
func (c *Counter) Broken() error { return c.broken }

// State is the ledger as of now. It is not durable: progress is reported from
// Durable, the last one acknowledged.
func (c *Counter) State() Ledger   { return c.led }
func (c *Counter) Durable() Ledger { return c.durable }

// Unstored is how many messages have been counted that Durable does not have.
func (c *Counter) Unstored() uint64 { return c.led.Total - c.durable.Total }

// Len is the number of rows in memory, Stored the number of entries that the
// table may hold of the source, of all owners.
func (c *Counter) Len() int    { return len(c.rows) + len(c.cold) }
func (c *Counter) Stored() int { return len(c.stored) }

// Keys lists these entries, in no order.
func (c *Counter) Keys() []Key { return slices.Collect(maps.Keys(c.stored)) }

// Stats are for metrics.
func (c *Counter) Stats() Stats { return c.stats }
