package counter

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// history is that of a source with owners one after another, each of which dies
// with some of its last flush stored. A compacted log loses messages meanwhile;
// there every row is stored, because nobody can count again what is gone. It
// gives the last counter, and what the records add up to.
func history(t *testing.T, seed uint64, compacted bool) (c *Counter, recorded uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3))
	var log []*Event
	for o := range int64(20 + rng.IntN(300)) {
		log = append(log, event(o+o/7, rng.Int64N(1+o/5)*600))
	}
	end := log[len(log)-1].Offset + 1
	tab, newest := table{}, map[id]*Row{}
	k := 1 + rng.IntN(4)
	for n := 0; ; n++ {
		var found Found
		if c, found = Recover(Options{Owner: string(rune('a' + n)), Windows: k, Digest: "json"}, Edges{0, end}, tab); found.Damaged != nil {
			t.Fatalf("seed %d: %v", seed, found.Damaged)
		}
		last := n > 4
		for flushes := rng.IntN(6); last && (c.Next() < end || !c.Idle()) || flushes > 0; flushes-- {
			read(c, log, rng.IntN(60))
			dies := !last && rng.IntN(4) == 0
			l := c.Flush(func(key Key, r *Row) {
				if old := newest[id{r.Segment, r.Window}]; old == nil || old.Last < r.Last {
					newest[id{r.Segment, r.Window}] = r.clone()
				}
				if !dies || compacted || rng.IntN(2) == 0 {
					tab[key] = tab.decoded(Entry{Row: r}.Append(nil))
				}
			})
			if off := c.Balance(); off != nil {
				t.Fatalf("seed %d: nothing is wrong, and the books say: %v", seed, off)
			}
			if dies {
				break
			}
			tab[c.LedgerKey()] = tab.decoded(l.Append(nil))
			c.Acked(l)
			for _, key := range c.Confirmed() {
				delete(tab, key)
			}
		}
		if last {
			break
		}
		for range rng.IntN(10) {
			if i := rng.IntN(len(log) - 1); compacted && len(log) > 10 {
				log = append(log[:i:i], log[i+1:]...)
			}
		}
	}
	for _, r := range newest {
		recorded += r.Count
	}
	return c, recorded
}

// read adds up to n messages from where the counter reads.
func read(c *Counter, log []*Event, n int) {
	from := c.ReadFrom(0)
	for _, e := range log {
		if e.Offset >= from && n > 0 {
			c.Add(e)
			n--
		}
	}
}

func TestTheLedgerIsWhatTheRecordsAddUpTo(t *testing.T) {
	for name, compacted := range map[string]bool{"on a log that keeps its messages": false, "on a compacted one": true} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(300) {
				c, recorded := history(t, seed, compacted)
				if total := c.Durable().Total; total != recorded || total == 0 {
					t.Fatalf("seed %d: the ledger says %d messages, the records add up to %d", seed, total, recorded)
				}
				if s := c.Stats(); s.Below+s.Dropped > 0 {
					t.Fatalf("seed %d: %+v", seed, s)
				}
			}
		})
	}
}

// Each is a defect that the program does not have.
func TestBooksNoticeDefects(t *testing.T) {
	row := func(c *Counter) *Row { return c.rows[id{c.led.Segment, 600}] }
	for name, c := range map[string]struct {
		defect func(*Counter)
		want   string
	}{
		"a message counted twice":         {func(c *Counter) { row(c).Tally.Add(&event(11, 600).Event) }, "rows hold 21 messages and the ledger 20"},
		"a message that its row has lost": {func(c *Counter) { row(c).Count-- }, "rows hold 19 messages and the ledger 20"},
		"a row that is not in memory":     {func(c *Counter) { delete(c.rows, id{c.led.Segment, 600}) }, "rows hold 10 messages and the ledger 20"},
		"a row that is not handed out":    {func(c *Counter) { c.dirty = c.dirty[:len(c.dirty)-1] }, "rows grew by 5 messages and 10 were counted"},
		"a ledger that skips a message":   {func(c *Counter) { c.led.Total-- }, "rows hold 20 messages and the ledger 19"},
		"a row that is overwritten":       {func(c *Counter) { c.rows[id{c.led.Segment, 0}].Count = 1 }, "rows hold 11 messages and the ledger 20"},
	} {
		t.Run(name, func(t *testing.T) {
			tab := table{}
			a := tab.started(t, "a")
			for o := range int64(10) {
				a.Add(event(o, o%2*600))
			}
			tab.round(t, a)
			for o := range int64(10) {
				a.Add(event(10+o, o%2*600))
			}
			if off := a.Balance(); off != nil {
				t.Fatalf("before: %v", off)
			}
			c.defect(a)
			tab.rows(a)
			off := a.Balance()
			if off == nil || !strings.Contains(off.Error(), c.want) {
				t.Fatalf("found %v, want %q", off, c.want)
			}
			tab.rows(a)
			if off := a.Balance(); off != nil {
				t.Errorf("found a second time: %v", off)
			}
		})
	}
}

func TestEachMessageHandedOverIsAccountedFor(t *testing.T) {
	tab := table{}
	a := tab.started(t, "a")
	count(a, 0, 1, 2)
	tab.round(t, a)
	count(a, 3, 4)
	tab.rows(a) // and dies before its ledger
	b := tab.started(t, "b")
	count(b, 2, 1, 3, 4, 5)
	other := event(5, 0)
	other.Hash++
	b.Add(other) // breaks it
	count(b, 6, 7)
	if s := b.Stats(); s != (Stats{Counted: 1, Replayed: 2, Again: 2, Below: 1, Dropped: 2}) || s.Messages() != 8 {
		t.Errorf("%+v, of 8", s)
	}
}

// Rows were found ahead, and all of their messages have been compacted away
// before they were read again: segments open that the replay had passed by.
func TestSegmentsThatTheReplayPassedByAreCountedOnce(t *testing.T) {
	o := func(owner string) Options { return Options{Owner: owner, Windows: 1, Digest: "json"} }
	tab := table{}
	a, _ := Recover(o("a"), Edges{0, 20}, tab)
	tab.round(t, a)
	a.Add(event(0, 0))
	tab.round(t, a)
	for n := range int64(5) {
		a.Add(event(1+n, 600*(1+n)))
	}
	tab.rows(a) // and dies before its ledger
	b, _ := Recover(o("b"), Edges{0, 20}, tab)
	for n := range int64(4) {
		b.Add(event(10+n, 0))
		tab.round(t, b)
		if off := b.Balance(); off != nil {
			t.Fatal(off)
		}
		if l := b.Durable(); l.Total != 6+uint64(n)+1 {
			t.Errorf("after message %d the ledger says %d messages, want 6 and what came since", 10+n, l.Total)
		}
		if c, found := Recover(o("c"), Edges{0, 20}, tab); found.Damaged != nil {
			t.Fatalf("after message %d: %v, %+v", 10+n, found.Damaged, c.State())
		}
	}
}
