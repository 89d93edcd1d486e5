package counter

import (
	"fmt"
	"math"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestCounting(t *testing.T) {
	t.Run("no row is written before the first ledger is sure", func(t *testing.T) {
		tab := table{}
		c, found := Recover(options("a"), Edges{0, 100}, tab)
		count(c, 0, 1, 2)
		l := tab.rows(c)
		if !found.Fresh || found.Reason != "" || len(tab) != 0 || c.DirtyRows() != 0 || l.Next != 0 {
			t.Fatalf("found %+v, wrote %v, ledger %+v", found, tab, l)
		}
		if c.Confirmed() != nil || c.Idle() {
			t.Fatal("sure without a ledger")
		}
		c.Acked(l)
		if c.Unsure() != true || c.Confirmed() != nil || c.DirtyRows() != 1 {
			t.Fatalf("not sure after the ledger: %d rows", c.DirtyRows())
		}
	})
	t.Run("a message is in one row, offsets may have gaps", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		count(c, 3, 5, 9, 12)
		tab.round(t, c)
		r := tab.row(t, Key{Owner: "a", Window: 0})
		if r.Count != 3 || r.First != 3 || r.Last != 9 || r.Bytes != 30 || r.Partial {
			t.Errorf("row %+v", r)
		}
		if l := c.Durable(); l.Next != 13 || l.Last != 12 || l.Total != 4 || l.SegmentCount != 4 || l.LastTime != 12000 || l.LastHash != event(12, 0).Hash {
			t.Errorf("ledger %+v", l)
		}
		if s := c.Stats(); s != (Stats{Counted: 4}) {
			t.Errorf("stats %+v", s)
		}
	})
	t.Run("rows go out in order, and only when they changed", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		for o, w := range []int64{600, 0, 1200, -600} {
			c.Add(event(int64(o), w))
		}
		var order []string
		note := func(k Key, _ *Row) { order = append(order, k.String()) }
		l := c.Flush(note)
		if got := fmt.Sprint(order); got != "[0/0/0/a 0/0/600/a 0/1/-600/a 0/1/1200/a]" {
			t.Error(got)
		}
		c.Acked(l)
		order = nil
		c.Add(event(4, 1200))
		c.Flush(note)
		if got := fmt.Sprint(order); got != "[0/1/1200/a]" {
			t.Error(got)
		}
	})
	t.Run("an advance without messages moves the ledger", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		count(c, 0)
		c.Advance(7, 3)
		c.Advance(5, -1)
		tab.round(t, c)
		if l := c.Durable(); l.Next != 7 || l.Epoch != 3 || l.Last != 0 {
			t.Errorf("ledger %+v", l)
		}
		if c.ReadFrom(0) != 0 || c.ReadFrom(1) != 7 {
			t.Errorf("reads from %d, or from %d when retention has been there", c.ReadFrom(0), c.ReadFrom(1))
		}
	})
	t.Run("an epoch that is not known is not that of before", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		count(c, 0)
		c.Advance(1, 3)
		count(c, 1)
		c.Advance(2, -1)
		if l := c.State(); l.Next != 2 || l.Epoch != -1 {
			t.Errorf("next %d, epoch %d: what lies before 2 may be of a later epoch than 3", l.Next, l.Epoch)
		}
	})
}

func TestSegments(t *testing.T) {
	t.Run("turn at the same offset for owner and replayer", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		log := []*Event{event(0, 0), event(1, 600), event(2, 0), event(3, 1200), event(4, 0), event(5, 1800), event(6, 1200)}
		for _, e := range log[:2] {
			a.Add(e)
		}
		tab.round(t, a)
		for _, e := range log[2:] {
			a.Add(e)
		}
		tab.rows(a) // and dies before its ledger

		b := tab.started(t, "b")
		for _, e := range log {
			b.Add(e)
		}
		tab.round(t, b)
		for _, k := range []Key{{Segment: 0, Window: 0}, {Segment: 1, Window: 1200}, {Segment: 1, Window: 0}, {Segment: 2, Window: 1800}, {Segment: 2, Window: 1200}} {
			k.Owner = "b"
			if k.Segment == 2 {
				if ra := a.peek(id{k.Segment, k.Window}); !sameRow(ra, tab.row(t, k)) {
					t.Errorf("%v: %+v and %+v", k, ra, tab.row(t, k))
				}
			} else if _, left := tab[k]; left {
				t.Errorf("%v of a closed segment is still in the table", k)
			}
		}
		if a.State().Segment != 2 || b.State().Segment != 2 || a.State().SegmentCount != b.State().SegmentCount {
			t.Errorf("ledgers %+v and %+v", a.State(), b.State())
		}
		if s := b.Stats(); s.Counted != 0 || s.Replayed != 5 {
			t.Errorf("the replay counted anew: %+v", s)
		}
	})
	t.Run("are worth a question to the coordinator when one is closed", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		asks := func(e *Event) bool {
			c.Add(e)
			c.Acked(tab.rows(c))
			defer c.Confirmed()
			return c.Unsure()
		}
		if asks(event(0, 0)) || asks(event(1, 600)) || !asks(event(2, 1200)) || asks(event(3, 1200)) {
			t.Error("asks when nothing can be deleted, or does not when something can")
		}
	})
	t.Run("hostile event times cost segments, not memory", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		for o := range int64(10_000) {
			w := []int64{o * 600, -o * 600, math.MaxInt64 - o, math.MinInt64 + o}[o%4]
			c.Add(event(o, w))
			if c.Pending() > 200 {
				tab.round(t, c)
			}
		}
		tab.round(t, c)
		if c.Len() > 2 || len(tab) > 3 || c.Stored() > 3 {
			t.Errorf("%d rows in memory, %d entries in the table, %d thought to be there", c.Len(), len(tab), c.Stored())
		}
	})
	t.Run("agree with their ledger, though messages were compacted away before they were read again", func(t *testing.T) {
		tab := counted(t)
		b := tab.started(t, "b")
		count(b, 5) // 4 is gone
		tab.round(t, b)
		c, found := Recover(options("c"), Edges{0, 6}, tab)
		if found.Fresh || c.State().SegmentCount != 6 {
			t.Errorf("found %+v, ledger %+v", found, c.State())
		}
	})
	t.Run("turn where they did, though the message that opened them was compacted away", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		log := []*Event{event(0, 0), event(1, 600), event(2, 1200), event(3, 0), event(4, 600)}
		a.Add(log[0])
		tab.round(t, a)
		for _, e := range log[1:] {
			a.Add(e)
		}
		tab.rows(a)
		b := tab.started(t, "b")
		b.Add(log[1])
		b.Add(log[3]) // 2 is gone
		b.Add(log[4])
		tab.round(t, b)
		if r := b.peek(id{0, 0}); r != nil && r.Count != 1 {
			t.Errorf("message 3 is in segment 0 too: %+v", r)
		}
		if l := b.State(); l.Segment != 2 {
			t.Errorf("ledger %+v", l)
		}
		b.Add(event(5, 1200))
		tab.round(t, b)
		d, found := Recover(options("d"), Edges{0, 6}, tab)
		if found.Fresh {
			t.Errorf("compaction is taken for damage: %+v, %+v", found, d.State())
		}
	})
	t.Run("turn as often as they did, though all messages of some were compacted away", func(t *testing.T) {
		tab, o := table{}, Options{Windows: 1, Digest: "json"}
		owner := func(name string) *Counter {
			o.Owner = name
			c, found := Recover(o, Edges{0, 1000}, tab)
			if len(tab) > 0 && found.Fresh {
				t.Fatalf("%s begins a new generation: %+v", name, found)
			}
			return c
		}
		a := owner("a")
		tab.round(t, a)
		a.Add(event(0, 0))
		tab.round(t, a)
		for n := range int64(4) {
			a.Add(event(1+n, 600*(1+n)))
		}
		tab.rows(a) // and dies before its ledger
		b := owner("b")
		b.Add(event(4, 2400)) // 1, 2 and 3 are gone
		for i, r := range b.rows {
			if r.Window == 2400 && i.segment != 4 {
				t.Errorf("message 4 is in segment %d too: %+v", i.segment, r)
			}
		}
		tab.round(t, b)
		if l := b.State(); l.Segment != 4 || l.SegmentCount != 1 {
			t.Errorf("ledger %+v", l)
		}
		owner("c")
	})
}

// A message has an arrival if its reader says so. It goes with the row, through
// restarts, and those that are read again do not count again.
func TestArrivalIsCountedOnceAndGoesWithTheRow(t *testing.T) {
	tab := table{}
	c := tab.started(t, "a")
	arrives := func(c *Counter, o, ms int64, class audit.Class) {
		e := event(o, 0)
		e.Arrival, e.Class = ms, class
		c.Add(e)
	}
	arrives(c, 0, 100, audit.Timed)
	arrives(c, 1, -3, audit.Timed)
	arrives(c, 2, audit.NoLatency, audit.Timed)
	arrives(c, 3, 7, audit.NoTime)
	tab.round(t, c)
	arrives(c, 4, 900, audit.Timed)
	tab.rows(c) // and dies

	c = tab.started(t, "b")
	for o := c.Next(); o < 5; o++ {
		arrives(c, o, 60_000, audit.Timed) // late, because we are
	}
	arrives(c, 5, 200, audit.Timed)
	tab.round(t, c)
	var want audit.Latency
	for _, ms := range []int64{100, -3, 900, 200} {
		want.Add(ms)
	}
	r := tab.row(t, Key{Owner: "b"})
	if !r.Arrival.Equal(&want) || r.Count != 6 {
		t.Errorf("%d messages, arrival %+v, want %+v", r.Count, r.Arrival, want)
	}
}
