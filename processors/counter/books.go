package counter

import "fmt"

// books are a second account of what the ledger says, kept from the other end:
// the ledger adds up messages as they come, the books add up rows as they are
// handed out. Nothing that happens to the log, to other owners or to the table
// makes the two differ: then a message was lost or counted twice by a bug, or the
// machine's memory is damaged.
type books struct {
	unread  uint64 // messages that rows found ahead have and the ledger has not yet: the replay comes to them
	gone    uint64 // messages of the generation in rows that have left the memory
	counted uint64 // Stats.Counted at the last flush
	off     *Imbalance
}

// An Imbalance says how the rows and the ledger of a generation differ.
type Imbalance struct {
	Generation, Next int64
	Rows, Ledger     uint64 // messages by the rows, and by the ledger together with Unread
	Unread           uint64 // messages that are in rows from before a restart, and have not been read again
	Grown, Counted   uint64 // messages since the last flush: by the rows handed out, and by Stats
}

func (b *Imbalance) Error() string {
	return fmt.Sprintf("generation %d at offset %d: rows hold %d messages and the ledger %d, of these %d not read again yet; since the last flush rows grew by %d messages and %d were counted",
		b.Generation, b.Next, b.Rows, b.Ledger, b.Unread, b.Grown, b.Counted)
}

// balance compares, at a flush whose rows have grown by so many messages. What
// it has found once it does not find again.
func (c *Counter) balance(grown uint64) {
	b := &c.books
	rows, ledger, counted := b.gone, c.led.Total+b.unread, c.stats.Counted-b.counted
	for _, r := range c.rows {
		rows += r.Count
	}
	for _, r := range c.cold {
		rows += r.count
	}
	if rows != ledger || grown != counted {
		b.off = &Imbalance{Generation: c.led.Generation, Next: c.led.Next, Rows: rows, Ledger: ledger, Unread: b.unread, Grown: grown, Counted: counted}
	}
	b.gone += ledger - rows
	b.counted = c.stats.Counted
}

// Balance is what flushes have found since it was last asked; nil is well.
func (c *Counter) Balance() *Imbalance {
	off := c.books.off
	c.books.off = nil
	return off
}

// settle makes the ledger agree with the rows at the end of a replay. On a log
// that keeps its messages it does already. A compacted one may have dropped
// messages that the rows had counted: the next recovery must not take the
// difference for damage, nor whoever adds up the records.
func (c *Counter) settle() {
	if c.replayTo == 0 || c.led.Next < c.replayTo {
		return
	}
	c.replayTo, c.replayed = 0, 0
	c.settleSegment()
	c.led.Total += c.books.unread // of segments that the replay has passed by
	c.books.unread = 0
}

// settleSegment does it for the open segment: during a replay also before the
// next one opens, because a crash meanwhile leaves the rows of this one behind.
func (c *Counter) settleSegment() {
	sum := c.openSum()
	dropped := sum - c.led.SegmentCount // below 0 if the log was cut and grew again: unsigned numbers bear that
	c.led.Total += dropped
	c.led.SegmentCount = sum
	c.books.unread -= dropped
}

// openSum is how many messages the rows of the open segment have.
func (c *Counter) openSum() (sum uint64) {
	for i, r := range c.rows {
		if i.segment == c.led.Segment {
			sum += r.Count
		}
	}
	for i, r := range c.cold {
		if i.segment == c.led.Segment {
			sum += r.count
		}
	}
	return sum
}
