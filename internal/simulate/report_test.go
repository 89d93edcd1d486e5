package main

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestReportsAreAddedUp(t *testing.T) {
	r := report{}
	r.read("processors/counter", `=== RUN   TestSimulation
=== RUN   TestSimulation/sound_log
    sim_test.go:70: world "sound log" seeds 10 windows 200 exact 200 wrong 0
    sim_test.go:73: births                   11
=== NAME  TestSimulation
    sim_test.go:78: simulated processors/counter seeds 10 windows 200 exact 200 wrong 0
--- PASS: TestSimulation (0.1s)
`)
	r.read("processors/counter", `
    sim_test.go:70: world "sound log" seeds 5 windows 7 exact 6 wrong 1
    sim_test.go:78: simulated processors/counter seeds 5 windows 7 exact 6 wrong 1
`)
	r.read("processors/counter", `
=== RUN   TestMistakesAreFound/no_skip_rule
    sim_mistakes_test.go:172: after 4 runs, by the simulation's checks: seed 4: o2 emits: what cannot be
`)
	r.read("processors/collect", `
=== RUN   TestMistakesAreFound/last_record_wins
    sim_mistakes_test.go:189: after 1 runs: seed 1: version 3, want 4
    sim_test.go:45: simulated processors/collect seeds 15 records 80 wrong 0
`)
	var b strings.Builder
	r.print(&b)
	want := `| processors/counter: kind of world | seeds | windows | exact | wrong |
|---|---:|---:|---:|---:|
| sound log | 15 | 207 | 206 | 1 |

| processors/counter: mistake | found after runs | by |
|---|---:|---|
| no skip rule | 4 | the simulation's checks |

| processors/collect: mistake | found after runs | by |
|---|---:|---|
| last record wins | 1 |  |

simulated processors/counter seeds 15 windows 207 exact 206 wrong 1
simulated processors/collect seeds 15 records 80 wrong 0
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", b.String(), want)
	}
	silent := len(simulations) - 2 // say nothing, which is as wrong
	if r.wrong() != 1+silent {
		t.Errorf("wrong %d", r.wrong())
	}
	delete(r, "processors/collect")
	if r.wrong() != 2+silent {
		t.Errorf("a package that says nothing is not wrong: %d", r.wrong())
	}
}

func TestSeedsAreDealtOutOnce(t *testing.T) {
	for _, x := range []struct{ seeds, cpus int }{{1, 2}, {2000, 2}, {2001, 3}, {100_000, 16}, {500_000, 2}} {
		dealt := map[string]int{}
		next := map[string]string{}
		for _, j := range plan(7, x.seeds, x.cpus) {
			if j.test != "TestSimulation" {
				continue
			}
			i := slices.Index(j.args, "-seed")
			if want := next[j.pkg]; want != "" && want != j.args[i+1] {
				t.Errorf("%+v: %s begins at %s, want %s", x, j.pkg, j.args[i+1], want)
			}
			dealt[j.pkg] += j.seeds
			next[j.pkg] = strconv.Itoa(7 + dealt[j.pkg])
		}
		for _, s := range simulations {
			if dealt[s.pkg] != x.seeds {
				t.Errorf("%+v: %d seeds dealt out to %s", x, dealt[s.pkg], s.pkg)
			}
		}
	}
}
