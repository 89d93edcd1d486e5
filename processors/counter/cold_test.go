package counter

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

func TestRowsThatRest(t *testing.T) {
	t.Run("are counted into as if they had not", func(t *testing.T) {
		rested := 0
		for seed := range uint64(200) {
			rng := rand.New(rand.NewPCG(seed, 1))
			o := options("a")
			o.Windows = 1 + rng.IntN(12)
			tabs := [2]table{{}, {}}
			var both [2]*Counter
			for i := range both {
				both[i], _ = Recover(o, Edges{0, 1 << 20}, tabs[i])
				tabs[i].round(t, both[i])
			}
			both[0].hot, both[1].hot = 0, 1<<30
			for offset := range int64(300) {
				e := event(offset, rng.Int64N(16)*600)
				e.Latency = rng.Int64N(5_000)
				for _, c := range both {
					c.Add(e)
				}
				if rng.IntN(8) > 0 {
					continue
				}
				rested += len(both[0].cold)
				for i, c := range both {
					tabs[i].round(t, c)
				}
			}
			if !reflect.DeepEqual(both[0].State(), both[1].State()) || both[0].Len() != both[1].Len() || len(tabs[0]) != len(tabs[1]) {
				t.Fatalf("seed %d: ledgers %+v and %+v, %d and %d rows, %d and %d entries", seed, both[0].State(), both[1].State(),
					both[0].Len(), both[1].Len(), len(tabs[0]), len(tabs[1]))
			}
			for k, e := range tabs[1] {
				if e.Row != nil && !sameRow(e.Row, tabs[0].row(t, k)) {
					t.Fatalf("seed %d: %v: %+v, want %+v", seed, k, tabs[0].row(t, k), e.Row)
				}
			}
		}
		if rested == 0 {
			t.Error("no row rested")
		}
	})
	t.Run("are recovered alike whether their entries were decoded or peeked at", func(t *testing.T) {
		for seed := range uint64(100) {
			rng := rand.New(rand.NewPCG(seed, 2))
			tab := table{}
			a := tab.started(t, "a")
			count := func(c *Counter, n int64) {
				for range n {
					c.Add(event(c.Next(), rng.Int64N(3)*600))
				}
			}
			count(a, 5+rng.Int64N(20))
			tab.round(t, a)
			count(a, rng.Int64N(20))
			if rng.IntN(2) == 0 {
				tab.rows(a) // and dies before its ledger
			}
			peeked := map[Key]Entry{}
			for k, e := range tab {
				var err error
				if peeked[k], err = Peek(e.Append(nil)); err != nil {
					t.Fatal(err)
				}
			}
			b, foundB := Recover(options("b"), Edges{0, 1000}, tab)
			c, foundC := Recover(options("b"), Edges{0, 1000}, peeked)
			if foundB != foundC || !reflect.DeepEqual(b.State(), c.State()) || b.Len() != c.Len() || b.DirtyRows() != c.DirtyRows() {
				t.Fatalf("seed %d: found %+v and %+v, ledgers %+v and %+v", seed, foundB, foundC, b.State(), c.State())
			}
			for i := range b.cold {
				if !sameRow(b.peek(i), c.peek(i)) {
					t.Fatalf("seed %d: row %v is %+v and %+v", seed, i, b.peek(i), c.peek(i))
				}
			}
			for i, r := range b.rows {
				if !sameRow(r, c.rows[i]) {
					t.Fatalf("seed %d: row %v is %+v and %+v", seed, i, r, c.rows[i])
				}
			}
		}
	})
	t.Run("stay decoded if they are the newest", func(t *testing.T) {
		tab := table{}
		o := options("a")
		o.Windows = 64
		c, _ := Recover(o, Edges{0, 1000}, tab)
		for offset := range int64(40) {
			c.Add(event(offset, offset/4*600))
			tab.round(t, c)
		}
		if len(c.rows) != hotRows || len(c.cold) != 10-hotRows || c.rows[id{0, 9 * 600}] == nil || c.rows[id{0, 8 * 600}] == nil {
			t.Errorf("%d rows decoded, %d encoded", len(c.rows), len(c.cold))
		}
	})
	t.Run("take little memory", func(t *testing.T) {
		const sources, windows, each = 300, 64, 80
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		counters := make([]*Counter, sources)
		for i := range counters {
			c, _ := Recover(Options{Owner: "a", Windows: windows, Digest: "json"}, Edges{0, 1 << 20}, nil)
			c.Acked(c.Flush(nil))
			c.Confirmed()
			for o := range int64(windows * each) {
				e := event(o, o%windows*600)
				e.Latency = o * 7919 % 2000
				c.Add(e)
			}
			c.Acked(c.Flush(func(Key, *Row) {}))
			counters[i] = c
		}
		if each := (heap() - before) / sources / windows; each > 620 {
			t.Errorf("%d bytes a row", each)
		} else {
			t.Logf("%d bytes a row", each)
		}
		runtime.KeepAlive(counters)
	})
}

// peek gives a row to be looked at.
func (c *Counter) peek(i id) *Row {
	if rest, ok := c.cold[i]; ok {
		return rest.row()
	}
	return c.rows[i]
}
