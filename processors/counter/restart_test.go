package counter

import (
	"errors"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestRestart(t *testing.T) {
	t.Run("another message at the last offset breaks the counter", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		count(a, 0, 1, 2)
		tab.round(t, a)
		b := tab.started(t, "b")
		other := event(2, 0)
		b.Add(other)
		if b.Broken() != nil {
			t.Fatalf("the same message: %v", b.Broken())
		}
		other.Hash++
		b.Add(other)
		count(b, 3, 4)
		b.Advance(9, 1)
		if !errors.Is(b.Broken(), ErrTruncated) || b.Next() != 3 {
			t.Fatalf("broken: %v, next %d", b.Broken(), b.Next())
		}
		if err := b.Restart(5, audit.MissedTruncated); err != nil {
			t.Fatal(err)
		}
		if l := b.State(); b.Broken() != nil || l.Generation != 1 || l.Start != 5 || *l.Missed != (Gap{3, 5, audit.MissedTruncated, 2000}) {
			t.Errorf("ledger %+v missed %+v", l, l.Missed)
		}
		tab.round(t, b)
		count(b, 5)
		tab.round(t, b)
		if r := tab.row(t, Key{Owner: "b", Generation: 1}); r.Count != 1 || !r.Partial || len(tab) != 2 {
			t.Errorf("row %+v of %v", r, tab)
		}
	})
	t.Run("another message at the end of rows found ahead breaks the counter", func(t *testing.T) {
		tab := counted(t) // durably up to 4, and rows up to 5
		b := tab.started(t, "b")
		other := event(5, 600)
		other.Hash++
		count(b, 3, 4)
		b.Add(other)
		if !errors.Is(b.Broken(), ErrTruncated) || b.Next() != 5 {
			t.Errorf("broken: %v, next %d", b.Broken(), b.Next())
		}
		tab.round(t, b)
		c := tab.started(t, "c")
		if count(c, 4, 5); c.Broken() != nil || c.Next() != 6 {
			t.Errorf("the same message: %v, next %d", c.Broken(), c.Next())
		}
	})
	t.Run("a cut is noticed though a new configuration began a generation in between", func(t *testing.T) {
		for name, tab := range map[string]table{"rows ahead": counted(t), "none": func() table {
			tab := table{}
			a := tab.started(t, "a")
			count(a, 0, 1, 2, 3, 4, 5)
			tab.round(t, a)
			return tab
		}()} {
			o := options("b")
			o.Digest = "avro"
			b, found := Recover(o, Edges{0, 9}, tab)
			if found.Reason != audit.MissedConfig || b.ReadFrom(0) != 5 {
				t.Fatalf("%s: found %+v, reads from %d", name, found, b.ReadFrom(0))
			}
			other := event(5, 600)
			other.Hash++
			b.Add(other)
			if !errors.Is(b.Broken(), ErrTruncated) {
				t.Errorf("%s: broken: %v", name, b.Broken())
			}
			tab.round(t, b)
			if err := b.Restart(6, audit.MissedTruncated); err != nil || b.State().Missed.Reason != audit.MissedTruncated {
				t.Errorf("%s: %v, missed %+v", name, err, b.State().Missed)
			}
		}
	})
	t.Run("is refused while something is unwritten", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		count(c, 0)
		if err := c.Restart(5, audit.MissedRetention); err == nil {
			t.Fatal("restarted with a dirty row")
		}
		tab.round(t, c)
		if err := c.Restart(5, audit.MissedRetention); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(6, audit.MissedRetention); err == nil {
			t.Fatal("restarted with an unwritten ledger")
		}
	})
	t.Run("does not count again what rows ahead have counted", func(t *testing.T) {
		tab := counted(t)
		b := tab.started(t, "b") // has not read on
		if err := b.Restart(5, audit.MissedRetention); err != nil {
			t.Fatal(err)
		}
		if l := b.State(); l.Start != 6 || *l.Missed != (Gap{4, 6, audit.MissedRetention, 3000}) {
			t.Errorf("ledger %+v missed %+v", l, l.Missed)
		}
	})
	t.Run("begins where the cut log does, though rows have counted more", func(t *testing.T) {
		tab := counted(t)
		b := tab.started(t, "b")
		if err := b.Restart(2, audit.MissedTruncated); err != nil {
			t.Fatal(err)
		}
		if l := b.State(); l.Start != 2 || *l.Missed != (Gap{2, 4, audit.MissedTruncated, 3000}) {
			t.Errorf("ledger %+v missed %+v", l, l.Missed)
		}
	})
	t.Run("a late acknowledgement of the former generation is ignored", func(t *testing.T) {
		tab := table{}
		c := tab.started(t, "a")
		old := c.Durable()
		if err := c.Restart(5, audit.MissedRetention); err != nil {
			t.Fatal(err)
		}
		c.Acked(old)
		if c.Durable().Generation != 1 || c.Confirmed() != nil {
			t.Errorf("durable %+v", c.Durable())
		}
	})
}
