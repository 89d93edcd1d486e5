package audit

import (
	"cmp"
	"slices"
)

// book holds what a process has counted of one topic, by window. It knows no clock and
// does no I/O. It has at most so many windows: the one that would be one more pushes out
// that which nobody has counted into for longest. What comes later for a window that was
// pushed out counts in another segment, and the sum over segments is what the window
// holds.
type book struct {
	windows int
	segment int64            // of entries that begin now; above those of all that were pushed out
	open    map[int64]*entry // by the start of the window
	newest  int64            // start of the newest window that was counted into
	waiting []*entry         // pushed out, and not acknowledged; the oldest first

	total, attempts, failures uint64 // of all windows; total are successes
	sent                      uint64 // windows, by segment, of which a record was acknowledged
}

// An entry is a window in a segment.
type entry struct {
	segment, start int64
	counts
	touched int64 // when it was counted into last, Unix seconds
	dirty   bool  // has something that is not acknowledged
	version int64 // of the record under way, or the last one; 0 if there was none
	known   bool  // a record of it was acknowledged
}

func newBook(windows int) book { return book{windows: windows, open: map[int64]*entry{}} }

// merge adds to a window what was counted up to a moment, in Unix seconds.
func (b *book) merge(now, start int64, c *counts) {
	e := b.open[start]
	if e == nil {
		if len(b.open) >= b.windows {
			b.pushOut()
		}
		e = &entry{segment: b.segment, start: start}
		b.open[start] = e
	}
	e.merge(c)
	b.newest = max(b.newest, start)
	e.dirty, e.touched = true, now
	b.total += c.Count
	b.attempts += c.attempts
	b.failures += c.failures
}

// pushOut makes room for a window.
func (b *book) pushOut() {
	var last *entry
	for _, e := range b.open {
		if last == nil || cmp.Or(cmp.Compare(e.touched, last.touched), cmp.Compare(e.start, last.start)) < 0 {
			last = e
		}
	}
	b.remove(last)
	if last.dirty {
		b.waiting = append(b.waiting, last)
	}
}

// remove takes an entry out of the open ones. Its segment must not be gone on with.
func (b *book) remove(e *entry) {
	delete(b.open, e.start)
	b.segment = max(b.segment, e.segment+1)
}

// rest takes out what is acknowledged, has ended and has not been counted into since a
// moment, in Unix seconds: nobody needs it in memory any more.
func (b *book) rest(before, size int64) {
	for _, e := range b.open {
		if !e.dirty && e.start+size <= before && e.touched <= before {
			b.remove(e)
		}
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

// drop forgets so many of those that wait, the oldest, and says how many messages that
// makes. Of an entry that was reported before it is not known how many are missing, so
// all of them are.
func (b *book) drop(n int) (messages uint64) {
	for _, e := range b.waiting[:n] {
		messages += max(e.Count, e.attempts, e.failures)
	}
	b.waiting = b.waiting[n:]
	return messages
}
