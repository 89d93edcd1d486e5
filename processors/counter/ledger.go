package counter

import (
	"math"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Ledger says how far a source has been counted, with what a successor needs
// besides the rows. It is written only when all rows as of Next are
// acknowledged. Fields up to Digest never change within a generation.
type Ledger struct {
	Generation int64  // counts from 0; a new one begins wherever the log or our memory of it is broken
	Base       int64  // if above 0: generations below it drop out, for an operator asked for a recount
	Start      int64  // offset where the generation began
	Windows    int    // per segment
	Missed     *Gap   // before the generation; nil if there is none. Not to be changed
	Digest     string // of codec, bounds and window size, as the generation began

	CutTime      int64    // see Cuts; NoCut if counting began at offset 0, or nothing is counted yet
	Next         int64    // first offset not counted
	Segment      int64    // the open segment, at Next
	SegmentCount uint64   // messages of it before Next; the rows must agree
	Total        uint64   // messages of the generation before Next
	Last         int64    // offset of the last message counted, by a former generation if need be; -1 if none
	LastHash     uint64   // its hash: tells a log that was cut and grew again
	LastTime     int64    // its record timestamp, Unix milliseconds
	Epoch        int32    // leader epoch at Next, -1 if the reader does not know it
	Newest       int64    // latest record timestamp that the generation has counted, Unix milliseconds; unknownTime if an older program wrote the ledger
	Reading      string   // digest under which its messages are read now: Digest, or one that says the same of all of them
	Former       []Former // those that Reading continues; not to be changed
}

// unknownTime is later than any.
const unknownTime = math.MaxInt64

// NoCut is a CutTime that cuts no window.
const NoCut = math.MinInt64

// A Gap is a range of offsets [From, To) before a generation that nobody can
// count any more: at most so many messages are missing. Where our table was
// damaged or the log cut it only says where: it may be empty, and yet the windows
// around it are not known. Where the log was cut, it is the offsets between the
// end of the old generation and the start of the new one, whichever is lower; the
// messages not counted are those from the cut, which is not known, to the start.
type Gap struct {
	From, To int64
	Reason   audit.MissedReason
	Since    int64 // record timestamp of the last message counted before, Unix milliseconds; 0 unknown
}

// Cuts says whether counting began in the middle of a window, given its start
// in Unix seconds: the log may hold earlier messages of it that this generation
// has not counted. Those windows that start no later than the record timestamp
// of the first message counted are cut, unless that is the log's very first.
func (l *Ledger) Cuts(window int64) bool {
	if l.CutTime == NoCut {
		return false
	}
	seconds := l.CutTime / 1000
	if l.CutTime%1000 < 0 {
		seconds--
	}
	return window <= seconds
}

// cut notes the record timestamp of the first message of the generation. If it
// has none, nobody knows which windows are whole, and none may pass for it.
func (l *Ledger) cut(time int64) {
	switch {
	case l.Start == 0:
		l.CutTime = NoCut
	case time < 0:
		l.CutTime = math.MaxInt64
	default:
		l.CutTime = time
	}
}

// newLedger is that of a generation that has counted nothing.
func newLedger(generation, start int64, o *Options) Ledger {
	return Ledger{
		Generation: generation, Start: start, Windows: max(1, o.Windows), Digest: o.Digest,
		CutTime: NoCut, Next: start, Last: -1, Epoch: -1, Newest: math.MinInt64, Reading: o.Digest, Former: o.Former,
	}
}

// gap is what is missed between the ledger and a generation that begins at
// start. A generation that has counted nothing hands on its own gap: its
// statement may never have been written. But that the log was cut is always said.
func (l *Ledger) gap(start int64, reason audit.MissedReason) *Gap {
	g := &Gap{From: l.Next, To: start, Reason: reason, Since: l.LastTime}
	if l.Total == 0 && l.Missed != nil {
		g.From, g.Since = l.Missed.From, l.Missed.Since
		if g.To <= l.Next && reason != audit.MissedTruncated {
			g.Reason = l.Missed.Reason
		}
	}
	if g.To < g.From {
		g.From, g.To = g.To, g.From
	}
	return g
}
