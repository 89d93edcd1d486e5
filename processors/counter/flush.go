package counter

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// Idle says that there is nothing to flush and no position to store. Every
// owner stores its position at least once, to be rid of its predecessors'.
func (c *Counter) Idle() bool {
	return c.wrote && len(c.dirty) == 0 && c.led.Next == c.durable.Next && !c.fresh
}

// DirtyRows is how many rows Flush would give now, so that whole sources can be
// chosen up to a budget of rows.
func (c *Counter) DirtyRows() int {
	if c.fresh {
		return 0
	}
	return len(c.dirty)
}

// Pending is how many rows wait: for a flush, or closed and kept until a ledger
// past them is durable. A reader should pause while it is large: event times
// that scatter over more windows than a segment holds make a row per message.
func (c *Counter) Pending() int { return len(c.dirty) + c.Len() - c.open }

// Closed is how many of these rows are of segments before the open one. They leave
// the memory with the next ledger, and there is no other bound to their number.
func (c *Counter) Closed() int {
	n := c.Len() - c.open
	for _, f := range c.ahead {
		n -= f.rows
	}
	return n
}

// Flush hands every changed row, ordered by segment and window, to put, which
// must encode it before it returns. It gives the ledger to be written, at
// LedgerKey, once all those rows and their records are acknowledged. In a
// generation that is not yet sure no row goes out: its ledger comes first.
//
// If a write fails, the session has failed: the rows handed out count as
// written. Recover again.
func (c *Counter) Flush(put func(Key, *Row)) Ledger {
	if c.fresh {
		return c.durable
	}
	c.settle()
	slices.SortFunc(c.dirty, func(a, b *Row) int {
		return cmp.Or(cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.Window, b.Window))
	})
	var grown uint64
	for _, r := range c.dirty {
		grown += r.Count - r.out
		r.dirty, r.out = false, r.Count
		k := Key{Owner: c.owner, Generation: c.led.Generation, Segment: r.Segment, Window: r.Window}
		c.stored[k] = struct{}{}
		put(k, r)
	}
	clear(c.dirty)
	c.dirty = c.dirty[:0]
	c.balance(grown)
	return c.led
}

// LedgerKey is where this owner's ledger goes.
func (c *Counter) LedgerKey() Key {
	return Key{Owner: c.owner, Ledger: true, Generation: c.led.Generation}
}

// Acked says that a ledger given by Flush is durable. Closed segments leave the
// memory, and rows that rest take less of it.
func (c *Counter) Acked(l Ledger) {
	if l.Generation != c.led.Generation {
		return // of before a Restart
	}
	closed := l.Segment > c.durable.Segment
	c.ask = c.ask || c.fresh || !c.wrote || closed
	c.durable, c.wrote = l, true
	c.stored[c.LedgerKey()] = struct{}{}
	if closed {
		maps.DeleteFunc(c.rows, func(i id, r *Row) bool { return c.leaves(i, r.Count) })
		maps.DeleteFunc(c.cold, func(i id, r coldRow) bool { return c.leaves(i, r.count) })
	}
	c.cool()
}

// leaves says whether a row is of a segment that is over, and books it out.
func (c *Counter) leaves(i id, count uint64) bool {
	over := i.segment < c.durable.Segment
	if over {
		c.books.gone += count
	}
	return over
}

// Unsure says that the coordinator is worth asking whether we still own the
// source: there may be something to delete, or a generation to be sure of.
func (c *Counter) Unsure() bool { return c.ask }

// Confirmed is called when the coordinator has said that we still own the
// source. It must have been asked after the last Acked. Every later owner then
// recovers the durable ledger or a better one. So a new generation may begin to
// write rows, and nobody will again need what Confirmed lists, to be deleted
// from the table: rows of closed segments and of former generations, and former
// owners' ledgers.
//
// Asking is essential. Else a paused owner could wake up, race ahead of its
// successor, and delete rows that the successor's ledger still builds upon.
// Former owners' rows of the open segment stay for the same reason: a ledger of
// theirs, still in flight, may need them.
func (c *Counter) Confirmed() []Key {
	if !c.wrote {
		return nil
	}
	c.fresh, c.ask = false, false
	var unneeded []Key
	for k := range c.stored {
		if c.needed(k) {
			continue
		}
		unneeded = append(unneeded, k)
		delete(c.stored, k)
	}
	slices.SortFunc(unneeded, Key.compare)
	return unneeded
}

func (c *Counter) needed(k Key) bool {
	if k.Ledger {
		return k == c.LedgerKey()
	}
	return k.Generation > c.durable.Generation || k.Generation == c.durable.Generation && k.Segment >= c.durable.Segment
}

// Restart begins a new generation, because the log has lost what comes next or
// is no longer the one that was counted. It begins at start, or after the last
// message that a row has counted if that is later, unless the log was cut
// (reason truncated): then messages at the same offsets are others. What lies
// between is missed, and the new ledger says so.
//
// The counter must be Idle: close the reader; flush, write the ledger, and
// confirm, until it is; ask for the log's edges, and the coordinator whether we
// still own the source; then Restart, and write what State().Missed says before
// the new ledger is Acked. A former owner that restarts without asking does no
// harm to the counts, but its successor's successor finds a beginning that
// contradicts the rows, and begins another generation.
func (c *Counter) Restart(start int64, reason audit.MissedReason) error {
	if !c.Idle() {
		return errors.New("restart a counter: it has unwritten rows or an unwritten position; flush it first")
	}
	old := c.led
	if reason != audit.MissedTruncated {
		start = max(start, old.Next)
		for _, r := range c.rows {
			start = max(start, r.Last+1)
		}
	}
	l := newLedger(old.Generation+1, start, &Options{Windows: old.Windows, Digest: old.Reading, Former: old.Former})
	l.Base = old.Base
	l.Missed = old.gap(start, reason)
	c.begin(l)
	return nil
}
