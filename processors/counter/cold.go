package counter

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Of the windows that a segment holds few still get messages, and a row that is
// counted into takes several times the memory of what is written of it: its
// latency bins are dense, so that each message finds its bin at once. So rows that
// are durable and have not been counted into for longest are kept as the table has
// them, and decoded when a late message comes. It is not visible from outside:
// an encoded row is the row.

// hotRows is how many clean rows of a source stay decoded: in order of their last
// message the window of now and the one before it, so that a source with its
// messages in order, or nearly, never encodes a row only to decode it at the next
// flush.
const hotRows = 2

// cool encodes all clean rows but the newest. Those with messages beyond the
// durable ledger, found ahead at a recovery, stay: messages are about to reach them.
func (c *Counter) cool() {
	if len(c.rows) <= c.hot+len(c.dirty) {
		return
	}
	var clean []*Row
	for _, r := range c.rows {
		if !r.dirty && r != c.cur && r.Last < c.durable.Next {
			clean = append(clean, r)
		}
	}
	slices.SortFunc(clean, func(a, b *Row) int { return cmp.Compare(b.Last, a.Last) })
	keep := c.hot
	if c.cur != nil && !c.cur.dirty {
		keep = max(0, keep-1)
	}
	rest := clean[min(keep, len(clean)):]
	for _, r := range rest {
		delete(c.rows, id{r.Segment, r.Window})
		c.store(r)
	}
	if len(rest) > len(c.rows)+8 {
		few := make(map[id]*Row, len(c.rows)) // a map keeps the room of all that it has held
		maps.Copy(few, c.rows)
		c.rows = few
	}
}

// store keeps a clean row encoded.
func (c *Counter) store(r *Row) {
	enc := r.enc
	if enc == nil {
		enc = r.Append(nil)
	}
	c.cold[id{r.Segment, r.Window}] = coldRow{string(enc), r.Count}
}

// find gives a row to be counted into, nil if there is none.
func (c *Counter) find(i id) *Row {
	if r := c.rows[i]; r != nil {
		return r
	}
	rest, ok := c.cold[i]
	if !ok {
		return nil
	}
	r := rest.row()
	delete(c.cold, i)
	c.rows[i] = r
	return r
}

// A coldRow is a row that rests.
type coldRow struct {
	enc   string
	count uint64 // of it, for the books
}

func (r coldRow) row() *Row { return decoded(r.enc) }

// decoded reads what Append has written, or Peek has read: it cannot fail.
func decoded(enc string) *Row {
	e, err := Decode([]byte(enc))
	if err != nil || e.Row == nil {
		panic(fmt.Sprintf("counter: a row of our own cannot be read: %v", err))
	}
	e.Row.out = e.Row.Count
	return e.Row
}
