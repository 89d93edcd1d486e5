package counter

import (
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

// event is the message at an offset, in a window, one second after the last.
func event(offset, window int64) *Event {
	return &Event{Offset: offset, Window: window, Time: offset * 1000, Arrival: audit.NoLatency, Event: audit.Event{Bytes: 10, Hash: uint64(offset)*0x9e3779b97f4a7c15 + 1, Moment: uint64(offset) * 0x9e3779b1, Latency: offset}}
}

// table is a table that takes every write, and keeps it.
type table map[Key]Entry

// options are those of the owner in most stories.
func options(owner string) Options { return Options{Owner: owner, Windows: 2, Digest: "json"} }

// rows flushes only the rows, as if the owner died before its ledger.
func (t table) rows(c *Counter) Ledger {
	return c.Flush(func(k Key, r *Row) { t[k] = t.decoded(Entry{Row: r}.Append(nil)) })
}

// round flushes until the counter is idle, always confirmed.
func (t table) round(tb testing.TB, c *Counter) {
	tb.Helper()
	for n := 0; !c.Idle(); n++ {
		if n > 3 {
			tb.Fatal("the counter does not become idle")
		}
		l := t.rows(c)
		t[c.LedgerKey()] = t.decoded(l.Append(nil))
		c.Acked(l)
		for _, k := range c.Confirmed() {
			delete(t, k)
		}
	}
}

func (t table) decoded(b []byte) Entry {
	e, err := Decode(b)
	if err != nil {
		panic(err)
	}
	return e
}

// started is a counter of a log that begins at 0, sure of its generation.
func (t table) started(tb testing.TB, owner string) *Counter {
	tb.Helper()
	c, found := Recover(options(owner), Edges{0, 1000}, t)
	if len(t) > 0 && found.Fresh {
		tb.Fatalf("%s begins a new generation: %+v", owner, found)
	}
	t.round(tb, c)
	return c
}

func (t table) row(tb testing.TB, k Key) *Row {
	tb.Helper()
	e, ok := t[k]
	if !ok || e.Row == nil {
		tb.Fatalf("no row %v in the table", k)
	}
	return e.Row
}

func count(c *Counter, offsets ...int64) {
	for _, o := range offsets {
		c.Add(event(o, o/10*600))
	}
}
