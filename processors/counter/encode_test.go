package counter

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

func sampleRow() *Row {
	r := &Row{Segment: 3, Window: -600, First: 17, Last: 1 << 40, LastHash: math.MaxUint64 - 1, Partial: true}
	for i := range 500 {
		r.Tally.Add(&audit.Event{Bytes: i, Hash: uint64(i) * 0x9e3779b97f4a7c15, Moment: uint64(i) * 0x9e3779b1, Class: audit.Class(max(0, i-496)), Latency: int64(i*i - 100)})
	}
	for i := range int64(300) {
		r.Arrival.Add(i*i*i - 100)
	}
	r.Latency.Add(math.MaxInt64)
	r.Latency.Add(math.MinInt64)
	return r
}

func sampleLedger() *Ledger {
	return &Ledger{
		Generation: 2, Base: 1, Start: 5, Windows: 64, Digest: "json:ts|24h|600",
		Missed:  &Gap{From: 3, To: 5, Reason: audit.MissedRetention, Since: 1e12},
		CutTime: math.MaxInt64, Next: 1 << 50, Segment: 9, SegmentCount: 12, Total: 1 << 45,
		Last: 1<<50 - 3, LastHash: math.MaxUint64, LastTime: -1, Epoch: 7, Newest: 1e12, Reading: "avro:ts|24h|600", Former: []Former{{"json", 7}, {"", math.MinInt64}},
	}
}

// tail is how much of a ledger's encoding older programs did not write.
func tail(l *Ledger) int {
	var w writer
	w.ints(l.Newest)
	w.string(l.Reading)
	w.uints(uint64(len(l.Former)))
	for _, f := range l.Former {
		w.string(f.Digest)
		w.ints(f.Until)
	}
	return len(w.b)
}

func TestEncoding(t *testing.T) {
	t.Run("a row comes back whole", func(t *testing.T) {
		r := sampleRow()
		e, err := Decode(r.Append(nil))
		if err != nil || e.Row == nil || e.Ledger != nil || !sameRow(e.Row, r) || !e.Row.Arrival.Equal(&r.Arrival) {
			t.Errorf("%+v, %v", e.Row, err)
		}
		if empty, err := Decode((&Row{}).Append(nil)); err != nil || !sameRow(empty.Row, &Row{}) {
			t.Errorf("%+v, %v", empty.Row, err)
		}
	})
	t.Run("a ledger comes back whole", func(t *testing.T) {
		first := newLedger(0, 0, &Options{Windows: 1})
		for _, l := range []*Ledger{sampleLedger(), &first} {
			e, err := Decode(Entry{Ledger: l}.Append(nil))
			if err != nil || e.Row != nil || !reflect.DeepEqual(e.Ledger, l) {
				t.Errorf("%+v, %v", e.Ledger, err)
			}
		}
	})
	t.Run("a row that is peeked at says what it begins with, and has the rest", func(t *testing.T) {
		r := sampleRow()
		e, err := Peek(r.Append(nil))
		if err != nil || e.Row.First != r.First || e.Row.Last != r.Last || e.Row.Count != r.Count || e.Row.Latency.Bins.Len() != 0 || e.Row.Arrival.Bins.Len() != 0 ||
			!sameRow(e.Row.clone(), r) || !e.Row.clone().Arrival.Equal(&r.Arrival) {
			t.Errorf("%+v, %v", e.Row, err)
		}
		for n := range r.Append(nil) {
			if _, err := Peek(r.Append(nil)[:n]); err == nil {
				t.Fatalf("%d bytes are accepted", n)
			}
		}
	})
	t.Run("fields of later versions are skipped", func(t *testing.T) {
		for _, e := range []Entry{{Row: sampleRow()}, {Ledger: sampleLedger()}} {
			got, err := Decode(append(e.Append(nil), "more"...))
			if err != nil || !bytes.Equal(got.Append(nil), e.Append(nil)) {
				t.Errorf("%+v, %v", got, err)
			}
		}
	})
	t.Run("whatever is cut short is refused", func(t *testing.T) {
		for _, e := range []Entry{{Row: sampleRow()}, {Ledger: sampleLedger()}} {
			b := e.Append(nil)
			for n := range b {
				if got, err := Decode(b[:n]); err == nil && !(e.Ledger != nil && n == len(b)-tail(e.Ledger)) {
					t.Fatalf("%d of %d bytes are read as %+v", n, len(b), got)
				}
			}
		}
	})
	t.Run("a ledger of an older program does not know its newest time", func(t *testing.T) {
		l := sampleLedger()
		b := l.Append(nil)
		got, err := Decode(b[:len(b)-tail(l)])
		l.Newest, l.Reading, l.Former = unknownTime, l.Digest, nil
		if err != nil || !reflect.DeepEqual(got.Ledger, l) {
			t.Errorf("%+v, %v", got.Ledger, err)
		}
	})
	t.Run("a row of an older program has no moments and no arrival", func(t *testing.T) {
		r := sampleRow()
		r.Arrival = audit.Latency{}
		with := len(r.Append(nil))
		r.Moments = audit.PowerSums{}
		e, err := Decode(r.Append(nil))
		if err != nil || !sameRow(e.Row, r) || !e.Row.Arrival.Empty() || with != len(r.Append(nil))+7*8 {
			t.Errorf("%+v, %v", e.Row, err)
		}
	})
	t.Run("what cannot be is refused", func(t *testing.T) {
		for name, change := range map[string]func(*Row, *Ledger){
			"last before first":        func(r *Row, _ *Ledger) { r.Last = r.First - 1 },
			"negative segment":         func(r *Row, _ *Ledger) { r.Segment = -1 },
			"power sum":                func(r *Row, _ *Ledger) { r.PowerSums[6] = 1 << 61 },
			"moment sum":               func(r *Row, _ *Ledger) { r.Moments[0] = math.MaxUint64 },
			"negative arrival":         func(r *Row, _ *Ledger) { r.Arrival.NegativeMax = -1 },
			"negative maximum":         func(r *Row, _ *Ledger) { r.Latency.Max = -1 },
			"next before start":        func(_ *Row, l *Ledger) { l.Next = l.Start - 1 },
			"last not before next":     func(_ *Row, l *Ledger) { l.Last = l.Next },
			"no windows":               func(_ *Row, l *Ledger) { l.Windows = 0 },
			"segment above total":      func(_ *Row, l *Ledger) { l.SegmentCount = l.Total + 1 },
			"range ends before it":     func(_ *Row, l *Ledger) { l.Missed.To = 0 },
			"epoch":                    func(_ *Row, l *Ledger) { l.Epoch = -2 },
			"digest as long as a book": func(_ *Row, l *Ledger) { l.Digest = strings.Repeat("x", longString+1) },
		} {
			r, l := sampleRow(), sampleLedger()
			change(r, l)
			_, rowErr := Decode(r.Append(nil))
			_, ledgerErr := Decode(l.Append(nil))
			if rowErr == nil && ledgerErr == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	})
	t.Run("another kind or format is named", func(t *testing.T) {
		for in, want := range map[string]string{"": "0 bytes", "X\x01": "kind", "R\x02": "format 2"} {
			if _, err := Decode([]byte(in)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v", in, err)
			}
		}
	})
}

// FuzzDecode: any bytes are refused, or mean something that is written and read
// back as the same.
func FuzzDecode(f *testing.F) {
	f.Add(sampleRow().Append(nil))
	f.Add((&Row{}).Append(nil))
	f.Add(sampleLedger().Append(nil))
	f.Add([]byte("R\x01"))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Decode(b)
		if peeked, err2 := Peek(b); (err == nil) != (err2 == nil) {
			t.Fatalf("%x: %v, and when peeked at: %v", b, err, err2)
		} else if err == nil && e.Row != nil && !sameRow(peeked.Row.clone(), e.Row) {
			t.Fatalf("%x is read as %+v, and when peeked at as %+v", b, e.Row, peeked.Row)
		}
		if err != nil {
			return
		}
		written := e.Append(nil)
		again, err := Decode(written)
		if err != nil {
			t.Fatalf("%x is read, and written as %x: %v", b, written, err)
		}
		if !bytes.Equal(again.Append(nil), written) {
			t.Fatalf("%x is read as %+v, and then as %+v", b, e, again)
		}
	})
}
