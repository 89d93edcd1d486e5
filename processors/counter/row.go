package counter

import "github.com/chaperone-audit/chaperone/audit"

// A Row is the cumulative state of one window within one segment. Last is its
// version: among rows of one generation, segment and window the highest is the
// newest, and equal ones are equal.
type Row struct {
	Segment int64
	Window  int64 // start, Unix seconds
	First   int64 // offset of the first message counted
	Last    int64 // offset of the last one
	// LastHash is that of the last message, as Ledger.LastHash; 0 in rows of before
	// there was one.
	LastHash uint64
	// Partial says that the generation began in the middle of the window: see
	// Ledger.Cuts. It is in the row because a row may be written, and found by
	// a successor, before any ledger knows where the generation was cut.
	Partial bool
	audit.Tally
	// Arrival is of the messages whose Event has one. A clock is in it, so that two
	// rows that are equal by their version may differ here.
	Arrival audit.Latency

	dirty bool   // changed since it was last flushed
	out   uint64 // messages that it had when it was, or was found in the table
	enc   []byte // of a row that Peek has read: the whole of it
}

// clone is a copy that shares nothing with r, has all that Peek has left out, and
// counts as flushed.
func (r *Row) clone() *Row {
	if r.enc != nil {
		return decoded(string(r.enc))
	}
	c := *r
	c.Tally, c.Arrival = r.Tally.Clone(), r.Arrival.Clone()
	c.dirty, c.out = false, r.Count
	return &c
}

// newer says whether r is the version to take. Equal versions are equal, but of
// a compacted source, where a later reader may see fewer messages.
func (r *Row) newer(o *Row) bool {
	return r.Last > o.Last || r.Last == o.Last && r.Count > o.Count
}
