package counter

import (
	"errors"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestRecovery(t *testing.T) {
	t.Run("rows ahead of the ledger are emitted again and not counted again", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		count(a, 0, 1)
		tab.round(t, a)
		count(a, 2, 3)
		tab.rows(a)

		b, _ := Recover(options("b"), Edges{0, 10}, tab)
		if b.Next() != 2 || b.DirtyRows() != 1 {
			t.Fatalf("next %d, %d rows to emit", b.Next(), b.DirtyRows())
		}
		count(b, 1, 2, 3, 4)
		tab.round(t, b)
		if r := tab.row(t, Key{Owner: "b"}); r.Count != 5 || r.Last != 4 {
			t.Errorf("row %+v", r)
		}
		if s := b.Stats(); s != (Stats{Counted: 1, Replayed: 2, Again: 1}) {
			t.Errorf("stats %+v", s)
		}
	})
	t.Run("the furthest ledger wins, whoever wrote it", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		count(a, 0, 1)
		tab.round(t, a)
		b := tab.started(t, "b")
		count(b, 2)
		tab.round(t, b)
		count(a, 2, 3, 4) // a was paused
		l := tab.rows(a)
		tab[a.LedgerKey()] = Entry{Ledger: &l}
		c, _ := Recover(options("c"), Edges{0, 10}, tab)
		if c.Next() != 5 {
			t.Errorf("next %d", c.Next())
		}
	})
	t.Run("the table is not changed by what is counted on", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		count(a, 0)
		tab.round(t, a)
		b := tab.started(t, "b")
		count(b, 1)
		if r := tab.row(t, Key{Owner: "a"}); r.Count != 1 {
			t.Errorf("row %+v", r)
		}
	})
	t.Run("a source never seen begins where the caller says, within the log", func(t *testing.T) {
		for _, x := range []struct{ start, want int64 }{{0, 10}, {15, 15}, {99, 20}} {
			o := options("a")
			o.Start = x.start
			c, found := Recover(o, Edges{10, 20}, nil)
			if c.Next() != x.want || found.Reason != "" || c.State().Missed != nil {
				t.Errorf("start %d: %+v, %+v", x.start, c.State(), found)
			}
		}
	})
	t.Run("a former owner's row of the open segment stays, its ledger may be on its way", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		count(a, 0, 1)
		tab.round(t, a)
		b := tab.started(t, "b")
		count(b, 2)
		count(a, 2, 3, 4) // a was paused, and overtakes b
		l := tab.rows(a)
		tab.round(t, b)
		tab[a.LedgerKey()] = Entry{Ledger: &l}
		c, found := Recover(options("c"), Edges{0, 10}, tab)
		if found.Fresh || c.Next() != 5 {
			t.Errorf("found %+v, next %d", found, c.Next())
		}
	})
	t.Run("a former owner's ledger goes when ours is durable and we are still the owner", func(t *testing.T) {
		tab := table{}
		a := tab.started(t, "a")
		count(a, 0)
		tab.round(t, a)
		b := tab.started(t, "b")
		if _, left := tab[a.LedgerKey()]; left || b.Stored() != 2 {
			t.Errorf("table %v, %d known", tab, b.Stored())
		}
	})
}

// counted is a table whose ledger is at 4, with rows ahead up to 5.
func counted(t *testing.T) table {
	tab := table{}
	a := tab.started(t, "a")
	count(a, 0, 1, 2, 3)
	tab.round(t, a)
	count(a, 4, 5)
	tab.rows(a)
	return tab
}

func TestDiscontinuities(t *testing.T) {
	for _, x := range []struct {
		name   string
		log    Edges
		digest string
		break_ func(table)
		reason audit.MissedReason
		start  int64
		gap    *Gap
	}{
		{name: "nothing is amiss", log: Edges{0, 9}, digest: "json"},
		{name: "retention has taken what was next, and more", log: Edges{8, 9}, digest: "json",
			reason: audit.MissedRetention, start: 8, gap: &Gap{4, 8, audit.MissedRetention, 3000}},
		{name: "retention has taken what was next, but rows hold more", log: Edges{5, 9}, digest: "json",
			reason: audit.MissedRetention, start: 6, gap: &Gap{4, 6, audit.MissedRetention, 3000}},
		{name: "the log is shorter than what was counted", log: Edges{0, 2}, digest: "json",
			reason: audit.MissedTruncated, start: 2, gap: &Gap{2, 4, audit.MissedTruncated, 3000}},
		{name: "the log is shorter than what rows ahead had counted", log: Edges{0, 5}, digest: "json",
			reason: audit.MissedTruncated, start: 5, gap: &Gap{4, 5, audit.MissedTruncated, 3000}},
		{name: "the configuration changed, rows ahead", log: Edges{0, 9}, digest: "avro",
			reason: audit.MissedConfig, start: 6, gap: &Gap{4, 6, audit.MissedConfig, 3000}},
		{name: "the configuration changed, nothing ahead", log: Edges{0, 9}, digest: "avro",
			break_: func(tab table) { tab[Key{Owner: "a"}].Row.Last, tab[Key{Owner: "a"}].Row.Count = 3, 4 },
			reason: audit.MissedConfig, start: 4},
		{name: "a row has vanished from the table", log: Edges{0, 9}, digest: "json",
			break_: func(tab table) { delete(tab, Key{Owner: "a"}) },
			reason: audit.MissedDamaged, start: 4, gap: &Gap{4, 4, audit.MissedDamaged, 3000}},
		{name: "a row holds less than it should", log: Edges{0, 9}, digest: "json",
			break_: func(tab table) { tab[Key{Owner: "a"}].Row.Count = 3 },
			reason: audit.MissedDamaged, start: 6, gap: &Gap{4, 6, audit.MissedDamaged, 3000}},
		{name: "a row holds more than it should, and is not ahead", log: Edges{0, 9}, digest: "json",
			break_: func(tab table) { tab[Key{Owner: "a"}].Row.Last = 3 },
			reason: audit.MissedDamaged, start: 4, gap: &Gap{4, 4, audit.MissedDamaged, 3000}},
		{name: "a row of a closed segment has counted what lies beyond the ledger", log: Edges{0, 9}, digest: "json",
			break_: func(tab table) {
				tab[Key{Owner: "a", Ledger: true}].Ledger.Segment, tab[Key{Owner: "a", Ledger: true}].Ledger.SegmentCount = 1, 0
			},
			reason: audit.MissedDamaged, start: 6, gap: &Gap{4, 6, audit.MissedDamaged, 3000}},
		{name: "the ledger has vanished", log: Edges{0, 9}, digest: "json",
			break_: func(tab table) { delete(tab, Key{Owner: "a", Ledger: true}) },
			reason: audit.MissedDamaged, start: 6, gap: &Gap{0, 6, audit.MissedDamaged, 0}},
		{name: "rows of a generation without a ledger", log: Edges{0, 9}, digest: "json",
			break_: func(tab table) { tab[Key{Owner: "x", Generation: 3}] = Entry{Row: &Row{First: 7, Last: 7}} },
			reason: audit.MissedDamaged, start: 8, gap: &Gap{4, 8, audit.MissedDamaged, 3000}},
	} {
		t.Run(x.name, func(t *testing.T) {
			tab := counted(t)
			if x.break_ != nil {
				x.break_(tab)
			}
			top := int64(0)
			for k := range tab {
				top = max(top, k.Generation)
			}
			o := options("b")
			o.Digest = x.digest
			c, found := Recover(o, x.log, tab)
			l := c.State()
			if found.Reason != x.reason || found.Fresh != (x.reason != "") || (found.Damaged != nil) != (x.reason == audit.MissedDamaged) {
				t.Errorf("found %+v", found)
			}
			if found.Damaged != nil && !errors.Is(found.Damaged, ErrDamaged) {
				t.Errorf("damage %v", found.Damaged)
			}
			if !found.Fresh {
				return
			}
			if l.Generation != top+1 || l.Start != x.start || l.Next != x.start || l.Digest != x.digest {
				t.Errorf("ledger %+v", l)
			}
			if (l.Missed == nil) != (x.gap == nil) || x.gap != nil && *l.Missed != *x.gap {
				t.Errorf("missed %+v, want %+v", l.Missed, x.gap)
			}
			tab.round(t, c)
			if again, found := Recover(o, Edges{0, 9}, tab); found.Fresh || again.State().Generation != l.Generation || (again.State().Missed == nil) != (x.gap == nil) {
				t.Errorf("recovered again: %+v, %+v", found, again.State())
			}
			if len(tab) != 1 {
				t.Errorf("the former generation is still in the table: %v", tab)
			}
		})
	}

	t.Run("a generation begun twice is not continued", func(t *testing.T) {
		begun := func(start int64) Entry {
			l := newLedger(2, start, &Options{Windows: 2, Digest: "json"})
			l.Missed = &Gap{From: 4, To: start, Reason: audit.MissedRetention}
			return Entry{Ledger: &l}
		}
		tab := table{{Owner: "a", Ledger: true, Generation: 2}: begun(6), {Owner: "b", Ledger: true, Generation: 2}: begun(8)}
		c, found := Recover(options("c"), Edges{5, 20}, tab)
		if l := c.State(); found.Reason != audit.MissedDamaged || l.Generation != 3 || l.Start != 6 || *l.Missed != (Gap{4, 6, audit.MissedRetention, 0}) {
			t.Errorf("%+v, %+v, missed %+v", found, l, l.Missed)
		}
		// Not even if the log no longer reaches back to one of them: that one may have
		// been confirmed, and have read on in time, and its rows be under way.
		c, found = Recover(options("c"), Edges{7, 20}, tab)
		if l := c.State(); found.Reason != audit.MissedDamaged || l.Generation != 3 || l.Start != 8 || *l.Missed != (Gap{4, 8, audit.MissedRetention, 0}) {
			t.Errorf("%+v, %+v, missed %+v", found, l, l.Missed)
		}
	})
	t.Run("a beginning that contradicts the rows is not continued", func(t *testing.T) {
		// A former owner began generation 1 at 3, while its successor counted on
		// in generation 0, up to 5, and durably up to 4.
		tab := counted(t)
		l := newLedger(1, 3, &Options{Windows: 2, Digest: "json"})
		l.Missed = &Gap{From: 1, To: 3, Reason: audit.MissedRetention}
		tab[Key{Owner: "x", Ledger: true, Generation: 1}] = Entry{Ledger: &l}
		c, found := Recover(options("b"), Edges{0, 9}, tab)
		if g := c.State(); !errors.Is(found.Damaged, ErrDamaged) || g.Generation != 2 || g.Start != 6 || *g.Missed != (Gap{4, 6, audit.MissedDamaged, 3000}) {
			t.Errorf("found %+v, ledger %+v, missed %+v", found, g, g.Missed)
		}
		// Retention changes nothing about that: what the ledger had counted is not missed.
		if c, _ := Recover(options("b"), Edges{8, 9}, tab); *c.State().Missed != (Gap{4, 8, audit.MissedDamaged, 3000}) {
			t.Errorf("missed %+v", c.State().Missed)
		}
		// After a cut the same offsets name other messages.
		l.Missed.Reason = audit.MissedTruncated
		if c, found := Recover(options("b"), Edges{0, 9}, tab); found.Fresh || c.Next() != 3 {
			t.Errorf("found %+v, next %d", found, c.Next())
		}
	})
	t.Run("a cut is said, though a generation that counted nothing hands on its gap", func(t *testing.T) {
		l := newLedger(2, 8, &Options{Windows: 2, Digest: "json"})
		l.Missed = &Gap{From: 4, To: 8, Reason: audit.MissedRetention}
		tab := table{{Owner: "a", Ledger: true, Generation: 2}: Entry{Ledger: &l}}
		c, found := Recover(options("b"), Edges{0, 3}, tab)
		if m := c.State().Missed; found.Reason != audit.MissedTruncated || *m != (Gap{3, 4, audit.MissedTruncated, 0}) {
			t.Errorf("found %+v, missed %+v", found, m)
		}
	})
	t.Run("two beginnings that retention has overtaken are no damage", func(t *testing.T) {
		a, b := newLedger(0, 3, &Options{Windows: 2}), newLedger(0, 5, &Options{Windows: 2})
		tab := table{{Owner: "a", Ledger: true}: Entry{Ledger: &a}, {Owner: "b", Ledger: true}: Entry{Ledger: &b}}
		c, found := Recover(options("c"), Edges{7, 9}, tab)
		if m := c.State().Missed; found.Damaged != nil || found.Reason != audit.MissedRetention || *m != (Gap{3, 7, audit.MissedRetention, 0}) {
			t.Errorf("found %+v, missed %+v", found, m)
		}
	})
	t.Run("the base of a recount is handed on", func(t *testing.T) {
		l := newLedger(2, 3, &Options{Windows: 2, Digest: "json"})
		l.Base = 2
		tab := table{{Owner: "a", Ledger: true, Generation: 2}: Entry{Ledger: &l}}
		c, _ := Recover(options("b"), Edges{5, 9}, tab)
		tab.round(t, c)
		if err := c.Restart(8, audit.MissedRetention); err != nil || c.State().Base != 2 || c.State().Generation != 4 {
			t.Errorf("%v, ledger %+v", err, c.State())
		}
	})
	t.Run("what a beginning had missed is handed on", func(t *testing.T) {
		l := newLedger(1, 10, &Options{Windows: 2, Digest: "json"})
		l.Missed = &Gap{From: 4, To: 10, Reason: audit.MissedDamaged, Since: 99}
		c, _ := Recover(options("b"), Edges{12, 20}, table{{Owner: "a", Ledger: true, Generation: 1}: Entry{Ledger: &l}})
		if m := c.State().Missed; *m != (Gap{4, 12, audit.MissedRetention, 99}) {
			t.Errorf("missed %+v", m)
		}
	})
}
