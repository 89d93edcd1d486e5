package counter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/chaperone-audit/chaperone/audit"
)

// Entries are written as a letter, the version of the format, and fields:
//
//	R 1 segment window first last flags count bytes noTime malformed outOfBounds
//	    latency{sum max negative negativeMax} fingerprint S1..S7 n {bin count}*n lastHash?
//	    {M1..M7}? arrival{sum max negative negativeMax n {bin count}*n}?
//	L 1 generation base start windows digest cutTime next segment segmentCount
//	    total last lastHash lastTime epoch missed?{from to reason since}
//	    newest reading n {digest until}*n
//
// Numbers are varints, zigzag where they are signed; hashes and power sums,
// which use all their bits, have 8 bytes, little-endian; strings have their
// length first; bins are written as distances. What follows the known fields is
// left to later versions and skipped; flags say what is there.
const (
	kindRow       = 'R'
	kindLedger    = 'L'
	formatVersion = 1

	flagPartial = 1
	flagHash    = 2       // lastHash is there
	flagMoments = 4       // and M1..M7, the moments
	flagArrival = 8       // and arrival
	longString  = 1 << 10 // no digest or reason is as long
)

var errEntry = errors.New("damaged table entry")

// Append appends the encoding of the row.
func (r *Row) Append(b []byte) []byte {
	w := writer{append(b, kindRow, formatVersion)}
	w.ints(r.Segment, r.Window, r.First, r.Last)
	var flags uint64
	if r.Partial {
		flags |= flagPartial
	}
	if r.LastHash != 0 {
		flags |= flagHash
	}
	if r.Moments != (audit.PowerSums{}) {
		flags |= flagMoments
	}
	if !r.Arrival.Empty() {
		flags |= flagArrival
	}
	w.uints(flags, r.Count, r.Bytes, r.NoTime, r.Malformed, r.OutOfBounds)
	w.extremes(&r.Latency)
	w.fixed(r.Fingerprint)
	w.sums(&r.PowerSums)
	w.bins(&r.Latency)
	if r.LastHash != 0 {
		w.fixed(r.LastHash)
	}
	if flags&flagMoments != 0 {
		w.sums(&r.Moments)
	}
	if flags&flagArrival != 0 {
		w.extremes(&r.Arrival)
		w.bins(&r.Arrival)
	}
	return w.b
}

// Append appends the encoding of the ledger.
func (l *Ledger) Append(b []byte) []byte {
	w := writer{append(b, kindLedger, formatVersion)}
	w.ints(l.Generation, l.Base, l.Start, int64(l.Windows))
	w.string(l.Digest)
	w.ints(l.CutTime, l.Next, l.Segment)
	w.uints(l.SegmentCount, l.Total)
	w.ints(l.Last)
	w.fixed(l.LastHash)
	w.ints(l.LastTime, int64(l.Epoch))
	if g := l.Missed; g != nil {
		w.uints(1)
		w.ints(g.From, g.To)
		w.string(string(g.Reason))
		w.ints(g.Since)
	} else {
		w.uints(0)
	}
	w.ints(l.Newest)
	w.string(l.Reading)
	w.uints(uint64(len(l.Former)))
	for _, f := range l.Former {
		w.string(f.Digest)
		w.ints(f.Until)
	}
	return w.b
}

// Append appends the encoding of whichever is set.
func (e Entry) Append(b []byte) []byte {
	if e.Ledger != nil {
		return e.Ledger.Append(b)
	}
	return e.Row.Append(b)
}

// CheckFormat looks only at whether this program can read an entry, damaged or
// not: one of a later format must not be taken for damage.
func CheckFormat(b []byte) error {
	if len(b) < 2 {
		return fmt.Errorf("%w: %d bytes", errEntry, len(b))
	}
	if kind := b[0]; kind != kindRow && kind != kindLedger {
		return fmt.Errorf("%w: kind %q", errEntry, kind)
	}
	if version := b[1]; version != formatVersion {
		return fmt.Errorf("table entry of format %d, this program reads %d: run the version that wrote it", version, formatVersion)
	}
	return nil
}

// Decode reads what Append writes. It keeps no reference to b.
func Decode(b []byte) (Entry, error) { return decode(b, true) }

// Peek is Decode for [Recover], which of most rows needs no more than what they
// begin with: it checks the latency bins of a row, and leaves them as they are in b,
// which it keeps.
func Peek(b []byte) (Entry, error) {
	e, err := decode(b, false)
	if e.Row != nil {
		e.Row.enc = b
	}
	return e, err
}

func decode(b []byte, bins bool) (Entry, error) {
	if err := CheckFormat(b); err != nil {
		return Entry{}, err
	}
	r := reader{b: b[2:]}
	kind := b[0]
	var e Entry
	if kind == kindRow {
		e.Row = r.row(bins)
	} else {
		e.Ledger = r.ledger()
	}
	if r.bad != "" {
		return Entry{}, fmt.Errorf("%w: kind %q: %s", errEntry, kind, r.bad)
	}
	return e, nil
}

func (r *reader) row(bins bool) *Row {
	w := &Row{Segment: r.int(), Window: r.int(), First: r.int(), Last: r.int()}
	flags := r.uint()
	w.Partial = flags&flagPartial != 0
	w.Count, w.Bytes, w.NoTime, w.Malformed, w.OutOfBounds = r.uint(), r.uint(), r.uint(), r.uint(), r.uint()
	r.extremes(&w.Latency)
	w.Fingerprint = r.fixed()
	w.PowerSums = r.sums()
	r.bins(&w.Latency, bins)
	if flags&flagHash != 0 {
		w.LastHash = r.fixed()
	}
	if flags&flagMoments != 0 {
		w.Moments = r.sums()
	}
	if flags&flagArrival != 0 {
		r.extremes(&w.Arrival)
		r.bins(&w.Arrival, bins)
	}
	r.check(w.Segment >= 0 && w.First >= 0 && w.First <= w.Last, "segment or offsets cannot be")
	return w
}

func (r *reader) ledger() *Ledger {
	l := &Ledger{Generation: r.int(), Base: r.int(), Start: r.int()}
	windows := r.int()
	l.Windows = int(windows)
	l.Digest = r.string()
	l.CutTime, l.Next, l.Segment = r.int(), r.int(), r.int()
	l.SegmentCount, l.Total = r.uint(), r.uint()
	l.Last = r.int()
	l.LastHash = r.fixed()
	l.LastTime = r.int()
	epoch := r.int()
	l.Epoch = int32(epoch)
	if has := r.uint(); has == 1 {
		l.Missed = &Gap{From: r.int(), To: r.int(), Reason: audit.MissedReason(r.string()), Since: r.int()}
		r.check(l.Missed.From <= l.Missed.To, "the missed range ends before it begins")
	} else {
		r.check(has == 0, "neither missed range nor none")
	}
	l.Newest, l.Reading = unknownTime, l.Digest
	if len(r.b) > 0 { // else an older program wrote it
		l.Newest, l.Reading = r.int(), r.string()
		for range min(r.uint(), longString) {
			if r.bad == "" {
				l.Former = append(l.Former, Former{r.string(), r.int()})
			}
		}
	}
	r.check(l.Generation >= 0 && l.Segment >= 0 && windows >= 1 && windows <= math.MaxInt32, "generation, segment or windows cannot be")
	r.check(l.Start >= 0 && l.Start <= l.Next && l.Last < l.Next && l.SegmentCount <= l.Total, "offsets or counts cannot be")
	r.check(epoch >= -1 && epoch <= math.MaxInt32, "the epoch cannot be")
	return l
}

type writer struct{ b []byte }

func (w *writer) ints(xs ...int64) {
	for _, x := range xs {
		w.b = binary.AppendVarint(w.b, x)
	}
}

func (w *writer) uints(xs ...uint64) {
	for _, x := range xs {
		w.b = binary.AppendUvarint(w.b, x)
	}
}

func (w *writer) fixed(x uint64) { w.b = binary.LittleEndian.AppendUint64(w.b, x) }

func (w *writer) extremes(l *audit.Latency) {
	w.uints(l.Sum, uint64(l.Max), l.Negative, uint64(l.NegativeMax))
}

func (w *writer) bins(l *audit.Latency) {
	w.uints(uint64(l.Bins.Len()))
	prev := audit.MinBin
	for bin, n := range l.Bins.All() {
		w.uints(uint64(bin-prev), n)
		prev = bin
	}
}

func (w *writer) sums(sums *audit.PowerSums) {
	for _, s := range sums {
		w.fixed(s)
	}
}

func (w *writer) string(s string) {
	w.uints(uint64(len(s)))
	w.b = append(w.b, s...)
}

// A reader reads fields until one of them is bad; from then on it reads zeros.
type reader struct {
	b   []byte
	bad string
}

func (r *reader) check(ok bool, otherwise string) {
	if !ok && r.bad == "" {
		r.bad = otherwise
	}
}

// take cuts off the next n bytes, if they are there.
func (r *reader) take(n int) []byte {
	r.check(n > 0 && n <= len(r.b), "ends too early, or a number is too long")
	if r.bad != "" {
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) int() int64 {
	x, n := binary.Varint(r.b)
	if r.take(n) == nil {
		return 0
	}
	return x
}

func (r *reader) uint() uint64 {
	x, n := binary.Uvarint(r.b)
	if r.take(n) == nil {
		return 0
	}
	return x
}

// size reads an unsigned number into a signed field.
func (r *reader) size() int64 {
	x := r.uint()
	r.check(x <= math.MaxInt64, "a number is too large")
	return int64(x)
}

func (r *reader) fixed() uint64 {
	b := r.take(8)
	if b == nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *reader) extremes(l *audit.Latency) {
	l.Sum, l.Max, l.Negative, l.NegativeMax = r.uint(), r.size(), r.uint(), r.size()
}

// bins checks them, and keeps them if they are wanted.
func (r *reader) bins(l *audit.Latency, wanted bool) {
	bin := int64(audit.MinBin)
	for n := r.uint(); n > 0 && r.bad == ""; n-- {
		step, count := r.uint(), r.uint()
		bin += int64(min(step, math.MaxInt16))
		r.check(bin <= int64(audit.MaxBin) && count > 0, "a latency bin is out of range or empty")
		if wanted && r.bad == "" {
			l.Bins.Put(int16(bin), count)
		}
	}
}

func (r *reader) sums() (sums audit.PowerSums) {
	for i := range sums {
		sums[i] = r.fixed()
		r.check(sums[i] < 1<<61, "a power sum is too large")
	}
	return sums
}

func (r *reader) string() string {
	n := r.uint()
	r.check(n <= longString, "a string is too long")
	if n == 0 || r.bad != "" {
		return ""
	}
	return string(r.take(int(n)))
}
