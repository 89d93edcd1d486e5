package count

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

func TestWhichBatchesAreReadAsTheyAreWritten(t *testing.T) {
	at := func(next, stable int64) logs.Batch { return logs.Batch{Next: next, Stable: stable} }
	for _, c := range []struct {
		outcome string
		batches []logs.Batch
		want    string
	}{
		{"what is there at first is not, whether it ends or not", []logs.Batch{at(50, 100), at(100, 100)}, "--"},
		{"what follows when all has been read, is", []logs.Batch{at(100, 100), at(101, 101), at(110, 110)}, "-++"},
		{"an answer of several batches is, as a whole", []logs.Batch{at(100, 100), at(228, 400), at(356, 400), at(400, 400), at(401, 401)}, "-++++"},
		{"what a full answer left behind is not, until all has been read again", []logs.Batch{at(100, 100), at(228, 900), at(356, 1000), at(1000, 1000), at(1001, 1001)}, "-+--+"},
		{"an empty log says that all has been read", []logs.Batch{at(0, 0), at(1, 1)}, "-+"},
		{"so do markers and aborted transactions", []logs.Batch{at(100, 101), at(101, 101), at(102, 102)}, "--+"},
		{"without the last stable offset nobody knows", []logs.Batch{at(100, -1), at(101, -1)}, "--"},
		{"a reader that follows another does not know at once", []logs.Batch{at(100, 100), at(101, -1), at(102, 102), at(103, 103)}, "---+"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			var p pace
			got := ""
			for i := range c.batches {
				if p.takes(&c.batches[i]) {
					got += "+"
				} else {
					got += "-"
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// What a source says of arrival, by a clock that the test sets.
func TestArrivalIsMeasuredWhileASourceKeepsUp(t *testing.T) {
	now, asked := time.Date(2026, 1, 1, 0, 0, 30, 0, time.UTC).UnixMilli(), 0
	s := unstored(t, 1, Options{Windows: 8, MaxPending: 1, Now: func() time.Time { asked++; return time.UnixMilli(now) }})
	x := s.list()[0]
	x.subject.Tier = "t"
	const none = math.MinInt64
	// batch hands over messages that happened so many milliseconds ago, or at none, of
	// a log that is so much longer.
	batch := func(left int64, ages ...int64) (more bool) {
		from := x.c.Next()
		b := &logs.Batch{Next: from + int64(len(ages)), Start: -1, Epoch: -1}
		b.Stable = b.Next + left
		for i, age := range ages {
			m := codecs.Message{Value: fmt.Appendf(nil, `{"ts":%d}`, now-age), Time: now}
			if age == none {
				m.Value = []byte("{}")
			}
			b.Records = append(b.Records, logs.Record{Offset: from + int64(i), Message: m})
		}
		return x.Batch(b)
	}
	held := map[int64]*audit.Latency{} // by window
	says := func(when string, ages ...int64) {
		t.Helper()
		led := x.c.State()
		x.c.Acked(x.c.Flush(func(k counter.Key, r *counter.Row) {
			m, err := x.rowMessage(k, r, &led)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := audit.Decode(m.Emit)
			if err != nil {
				t.Fatal(err)
			}
			held[rec.Start] = rec.Tally.Arrival
		}))
		var got, want audit.Latency
		for _, a := range held {
			if a != nil {
				got.Merge(a)
			}
		}
		for _, ms := range ages {
			want.Add(ms)
		}
		if !got.Equal(&want) {
			t.Errorf("%s it says %+v, want %+v", when, got, want)
		}
	}

	batch(0, 5000, 6000)
	if says("of what was there at first"); asked > 0 || held[(now-5000)/60_000*60] != nil {
		t.Errorf("the clock was asked %d times, the record has %+v", asked, held)
	}
	batch(0)
	batch(1, 10, none, -30)
	batch(0, 20)
	says("while it keeps up", 10, -30, 20)
	if asked != 2 {
		t.Errorf("the clock was asked %d times for two batches", asked)
	}
	if batch(0, 1, 60_001) {
		t.Fatal("it does not pause")
	}
	says("of two windows", 10, -30, 20, 1, 60_001)
	batch(0, 70)
	says("after a pause, of what has waited", 10, -30, 20, 1, 60_001)
	batch(0, 80)
	says("when it keeps up again", 10, -30, 20, 1, 60_001, 80)
	x.Lost(logs.ErrUnavailable)
	batch(0, 90)
	says("after it was lost", 10, -30, 20, 1, 60_001, 80)
}
