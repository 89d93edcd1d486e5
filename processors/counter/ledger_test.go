package counter

import (
	"fmt"
	"math"
	"testing"
)

func TestPartialWindows(t *testing.T) {
	started := func(t *testing.T, start int64) (table, *Counter) {
		tab := table{}
		o := options("a")
		o.Start = start
		c, _ := Recover(o, Edges{0, 1 << 20}, tab)
		tab.round(t, c)
		return tab, c
	}
	partial := func(c *Counter) (list []bool) {
		for _, w := range []int64{0, 600, 1200} {
			list = append(list, c.rows[id{0, w}] != nil && c.rows[id{0, w}].Partial || c.rows[id{1, w}] != nil && c.rows[id{1, w}].Partial)
		}
		return list
	}
	fill := func(c *Counter, first int64) {
		c.Add(event(first, 600))
		c.Add(event(first+1, 0))
		c.Add(event(first+2, 1200))
	}
	t.Run("are those that start no later than the first message's record", func(t *testing.T) {
		_, c := started(t, 900)
		fill(c, 900)
		if got := fmt.Sprint(partial(c)); got != "[true true false]" {
			t.Error(got)
		}
		l := c.State()
		if !l.Cuts(900) || l.Cuts(901) {
			t.Errorf("cut at %d", l.CutTime)
		}
	})
	t.Run("are right before 1970 and to the millisecond", func(t *testing.T) {
		for _, x := range []struct {
			cut, window int64
			want        bool
		}{{-1, -1, true}, {-1, 0, false}, {-1000, -1, true}, {-1001, -1, false}, {999, 0, true}, {999, 1, false}, {math.MaxInt64, math.MaxInt64 / 1000, true}, {NoCut, math.MinInt64, false}} {
			if l := (&Ledger{CutTime: x.cut}); l.Cuts(x.window) != x.want {
				t.Errorf("a cut at %d ms: window %d is cut: %v", x.cut, x.window, !x.want)
			}
		}
	})
	t.Run("do not exist where counting begins with the log", func(t *testing.T) {
		_, c := started(t, 0)
		fill(c, 900)
		if got := fmt.Sprint(partial(c)); got != "[false false false]" {
			t.Error(got)
		}
	})
	t.Run("are all, if the record has no timestamp", func(t *testing.T) {
		_, c := started(t, 900)
		e := event(900, 600)
		e.Time = -1
		c.Add(e)
		fill(c, 901)
		if got := fmt.Sprint(partial(c)); got != "[true true true]" {
			t.Error(got)
		}
	})
	t.Run("are known of rows that are ahead of the first ledger", func(t *testing.T) {
		tab, a := started(t, 900)
		fill(a, 900)
		tab.rows(a)
		b, _ := Recover(options("b"), Edges{0, 1 << 20}, tab)
		if got := fmt.Sprint(partial(b)); got != "[true true false]" {
			t.Error(got)
		}
		fill(b, 900)
		if a.State().CutTime != b.State().CutTime {
			t.Errorf("cut at %d and %d", a.State().CutTime, b.State().CutTime)
		}
	})
}
