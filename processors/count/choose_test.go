package count

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestNobodyStarves lets sources get rows at random, many more than a flush may write,
// and flushes them. Nobody waits for longer than those that were there before it.
func TestNobodyStarves(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		budget := 1 + r.IntN(20)
		sources := make([]candidate, 1+r.IntN(30))
		before := map[string]int{} // how many were waiting when it began to wait: so many flushes at most
		for i := range sources {
			sources[i].name = fmt.Sprintf("s%02d", i)
		}
		stuck := r.IntN(len(sources) * 2) // one that is never done: the coordinator does not answer
		now := time.Unix(0, 0)
		waits := func(c candidate) bool { return c.rows > 0 || !c.waiting.IsZero() }
		for range 200 {
			for range r.IntN(5) {
				c := &sources[r.IntN(len(sources))]
				if !waits(*c) {
					now = now.Add(time.Duration(r.IntN(2))) // clocks are coarse
					c.waiting = now
					for _, o := range sources {
						if waits(o) && o.name != c.name {
							before[c.name]++
						}
						if o.waiting.Equal(now) && o.name > c.name {
							before[o.name]++ // at the same moment, and first by name
						}
					}
				}
				c.rows += r.IntN(12) // none: only the position has moved
			}
			var all []candidate
			for i, c := range sources {
				if waits(c) || i == stuck {
					all = append(all, c)
				}
			}
			chosen := choose(slices.Clone(all), budget)
			rows, most := 0, 0
			for _, c := range chosen {
				rows += c.rows
				most = max(most, c.rows)
			}
			if rows > budget && rows != most {
				t.Fatalf("seed %d: %d rows, budget %d: %+v", seed, rows, budget, chosen)
			}
			if len(chosen) == 0 && len(all) > 0 {
				t.Fatalf("seed %d: nobody is chosen of %+v", seed, all)
			}
			for i := range sources {
				c := &sources[i]
				if slices.ContainsFunc(chosen, func(o candidate) bool { return o.name == c.name }) {
					c.rows, c.waiting, before[c.name] = 0, time.Time{}, 0
				} else if waits(*c) {
					if before[c.name]--; before[c.name] < 0 {
						t.Fatalf("seed %d: %s has waited for longer than all that were there before it: %+v of %+v", seed, c.name, chosen, all)
					}
				}
			}
		}
	}
}

func TestChoosing(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	all := []candidate{{name: "young", waiting: at(3), rows: 1}, {name: "big", waiting: at(2), rows: 50}, {name: "old", waiting: at(1), rows: 5}, {name: "b", rows: 0}, {name: "a", rows: 0}}
	for budget, want := range map[int]string{1: "a b old ", 54: "a b old ", 55: "a b old big ", 56: "a b old big young "} {
		got := ""
		for _, c := range choose(slices.Clone(all), budget) {
			got += c.name + " "
		}
		if got != want {
			t.Errorf("budget %d: %s, want %s", budget, got, want)
		}
	}
	if got := choose(nil, 5); len(got) != 0 {
		t.Errorf("of nobody: %v", got)
	}
	if got := choose([]candidate{{name: "big", rows: 50}, {name: "next", rows: 1}}, 5); len(got) != 1 || got[0].name != "big" {
		t.Errorf("one alone may have more than the budget: %v", got)
	}
}
