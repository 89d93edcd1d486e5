package audit

import (
	"cmp"
	"slices"
)

// book holds what a process has counted of one topic, by segment and window. It knows
// no clock and does no I/O. A segment has at most so many windows; the message that
// would open one more begins the next. Those of a closed segment only wait to be
// reported: what comes later for the same window counts in another segment, and the
// sum over segments is what the window holds.
type book struct {
	windows            int
	segment            int64
	open               map[int64]*entry // by the start of the window
	waiting            []*entry         // of closed segments, oldest first
	total              uint64           // successes, of all windows
	attempts, failures uint64
	sent               uint64 // windows, by segment, of which a record was acknowledged
}

// An entry is a window in a segment.
type entry struct {
	segment, start int64
	counts
	dirty   bool  // has something that is not acknowledged
	version int64 // of the record under way, or the last one; 0 if there was none
	known   bool  // a record of it was acknowledged
}

func newBook(windows int) book { return book{windows: windows, open: map[int64]*entry{}} }

// merge adds to a window.
func (b *book) merge(start int64, c *counts) {
	e := b.open[start]
	if e == nil {
		if len(b.open) >= b.windows {
			b.closeSegment()
		}
		e = &entry{segment: b.segment, start: start}
		b.open[start] = e
	}
	e.merge(c)
	e.dirty = true
	b.total += c.Count
	b.attempts += c.attempts
	b.failures += c.failures
}

func (b *book) closeSegment() {
	for _, e := range b.open {
		if e.dirty {
			b.waiting = append(b.waiting, e)
		}
	}
	slices.SortStableFunc(b.waiting, func(x, y *entry) int { return cmp.Or(cmp.Compare(x.segment, y.segment), cmp.Compare(x.start, y.start)) })
	clear(b.open)
	b.segment++
}

// rest closes the segment if all of it is acknowledged and before a time, in Unix
// seconds: nobody needs it in memory any more.
func (b *book) rest(before, size int64) {
	for _, e := range b.open {
		if e.dirty || e.start+size > before {
			return
		}
	}
	if len(b.open) > 0 {
		b.closeSegment()
	}
}

// due lists what is to be reported, as of a version, in order.
func (b *book) due(version int64) (list []*entry) {
	list = slices.Clone(b.waiting)
	for _, e := range b.open {
		if e.dirty {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(x, y *entry) int { return cmp.Or(cmp.Compare(x.segment, y.segment), cmp.Compare(x.start, y.start)) })
	for _, e := range list {
		e.version = version
	}
	return list
}

// acknowledged notes that the records of entries have arrived. Nothing was merged
// since they were made.
func (b *book) acknowledged(list []*entry) {
	for _, e := range list {
		e.dirty = false
		if !e.known {
			e.known = true
			b.sent++
		}
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(e *entry) bool { return !e.dirty })
}

// pending is how many windows have something that is not acknowledged.
func (b *book) pending() (n int) {
	n = len(b.waiting)
	for _, e := range b.open {
		if e.dirty {
			n++
		}
	}
	return n
}

// drop forgets the oldest of those that wait until there are at most so many, and
// says how many messages that makes. Of an entry that was reported before, it is not
// known how many are missing, so all of them are.
func (b *book) drop(most int) (messages uint64) {
	for len(b.waiting) > most {
		messages += b.waiting[0].Count
		b.waiting = b.waiting[1:]
	}
	return messages
}
