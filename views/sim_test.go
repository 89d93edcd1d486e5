package views

import (
	"flag"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
)

var (
	seeds     = flag.Uint64("seeds", 50, "seeds of the simulation to run")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

// TestSimulation: machines of the collecting processor write the table, former
// owners among them, and it is compacted; readers begin anywhere, read at their
// own pace and begin anew. Whenever one has read all of the table, it says what
// the table says; and in the end, of the windows since its Horizon, what the
// records of the audit topic say. The machines have a simulation of their own, in
// their package.
func TestSimulation(t *testing.T) {
	sum := map[string]int{}
	wrong := 0
	for seed := *firstSeed; seed < *firstSeed+*seeds && wrong < 5; seed++ {
		w := simulate(t, seed, mistake{})
		if w.err != nil {
			t.Errorf("-seed %d -seeds 1: %v", seed, w.err)
			wrong++
		}
		for k, n := range w.stats {
			sum[k] += n
		}
		sum["seeds"]++
	}
	for _, k := range slices.Sorted(maps.Keys(sum)) {
		t.Logf("%-22s %d", k, sum[k])
	}
	t.Logf("simulated views seeds %d records %d windows %d wrong %d", sum["seeds"], sum["records"], sum["windows compared"], wrong)
}

// mistake switches a mistake on: the simulation must notice each of them.
type mistake struct {
	ignoreVersions bool // any owner's entry of an identity counts
	ignoreDeletes  bool // what is deleted from the table is held on
	neverSwept     bool // what is beyond Detail is held on
	forgetTooMuch  bool // what is younger than Detail is dropped
}

func TestMistakesAreFound(t *testing.T) {
	for name, m := range map[string]mistake{
		"any owner's entry counts": {ignoreVersions: true},
		"deletions not followed":   {ignoreDeletes: true},
		"old windows held":         {neverSwept: true},
		"young windows dropped":    {forgetTooMuch: true},
	} {
		t.Run(name, func(t *testing.T) {
			for n := range *seeds {
				if w := simulate(t, *firstSeed+n, m); w.err != nil {
					t.Logf("after %d runs: %.300v", n+1, w.err)
					return
				}
			}
			t.Error("not found")
		})
	}
}

func simulate(t *testing.T, seed uint64, m mistake) *world {
	w := &world{mistake: m, Rand: rand.New(rand.NewPCG(seed, 3)), t: t, clock: epoch * 1000, versions: map[string]int64{}, bases: map[string]int64{}, stats: map[string]int{}}
	w.plan, w.err = compare.NewPlan(nil, nil)
	w.detail = []time.Duration{time.Hour, 6 * time.Hour}[w.IntN(2)]
	for p := range int32(partitions) {
		w.logs[p] = &auditLog{number: p}
		w.takeOver(w.logs[p])
	}
	w.newReader()
	for steps := 100 + w.IntN(200); steps > 0 && w.err == nil; steps-- {
		l := w.logs[w.IntN(partitions)]
		switch r := w.IntN(40); {
		case r < 10:
			w.produce()
		case r < 12:
			w.takeOver(l)
		case r < 14:
			w.compact(l)
		case r == 14 && len(w.readers) < 4:
			w.newReader()
		case r == 15:
			w.caughtUp(w.readers[w.IntN(len(w.readers))])
		case r < 24:
			w.read(w.readers[w.IntN(len(w.readers))], l, 1+w.IntN(20))
		default:
			w.act(l, l.sessions[w.IntN(len(l.sessions))])
		}
	}
	w.finish()
	return w
}

// finish has everything collected and read. Whoever counts says so: progress
// brings the table up to the log's time, and what is counted from.
func (w *world) finish() {
	for _, topic := range topics {
		w.progress(topic, 0, 1, 2)
	}
	for _, l := range w.logs {
		w.takeOver(l)
		for range 3 {
			for _, s := range l.sessions {
				w.apply(l, s, math.MaxInt)
				w.write(l, s, math.MaxInt)
				w.flush(l, s)
				w.write(l, s, math.MaxInt)
			}
		}
		w.compact(l)
	}
	w.newReader()
	for _, r := range w.readers {
		w.caughtUp(r)
		w.checkWindows(r)
	}
}

func (w *world) fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, a...)
	}
}
