package collect

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// The simulation: the partitions of the audit topic and of the table as
// append-only logs, and instances between which the group coordinator moves the
// partitions. Records come repeated, out of order, hours late, without their key,
// or in another partition's place; sessions are cut off wherever they wait for
// Kafka, any prefix of what they had sent still to arrive, or wake up after a
// pause and go on from a stale memory; the coordinator does not answer; the table
// is compacted in any way that is legal. Nothing is timed; a random schedule
// decides what happens next, and the same seed gives the same run. Its files: the
// logs and who writes the audit topic (world), who collects it (sessions), what must
// be true of the table (check) and add up (sums), and what would be wrong (mistakes).
var (
	seeds     = flag.Uint64("seeds", 200, "seeds of the simulation to run")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

func TestSimulation(t *testing.T) {
	sum := map[string]int{}
	wrong := 0
	for seed := *firstSeed; seed < *firstSeed+*seeds && wrong < 5; seed++ {
		w := simulate(seed, mistake{})
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
		t.Logf("%-28s %d", k, sum[k])
	}
	t.Logf("simulated processors/collect seeds %d records %d identities %d wrong %d", sum["seeds"], sum["records"], sum["identities"], wrong)
}

// simulate lets a world run, and end.
func simulate(seed uint64, m mistake) *world {
	w := newWorld(rand.New(rand.NewPCG(seed, 7)), m)
	defer w.close()
	w.rebalance()
	for steps := 40 + w.IntN(260); steps > 0 && w.err == nil; steps-- {
		switch r := w.IntN(100); {
		case r < w.restless:
			w.rebalance()
		case r < 23:
			w.produce()
		case r < 25:
			w.partitions[w.IntN(len(w.partitions))].compact(w.Rand)
		case r < 27:
			w.cutAZombie()
		case r < 60:
			w.land(1 + w.IntN(6))
		default:
			k := w.someone()
			n := 1 + w.IntN(4)
			if !k.current() { // it has slept, and hurries
				n *= 4
			}
			for range n {
				w.step(k)
			}
		}
	}
	w.finish()
	return w
}

func (w *world) fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, a...)
	}
}

// finish ends the run and looks at what is left: first with everything read and
// all that former sessions had sent arrived, then when time has passed and a new
// session has tidied up, then through a recovery.
func (w *world) finish() {
	if w.IntN(2) == 0 {
		w.rebalance()
	}
	w.settle()
	w.checkDue()

	w.rebalance()
	w.silence()
	for range 4 {
		w.clock += superseded.Milliseconds()
		w.tick()
		w.settle()
	}
	w.checkGone()
	w.checkRecovery()
	w.checkBooks()
}

// settle has the current sessions read and write everything, and lets the former
// ones come to their end.
func (w *world) settle() {
	w.calm = true
	defer func() { w.calm = false }()
	for i := 0; w.err == nil && !w.settled(); i++ {
		if i > 10_000 {
			w.fail("does not settle")
		}
		if i%3 == 2 {
			w.cutAZombie()
		}
		if i%100 == 99 {
			w.tick() // a commit that the coordinator did not answer is made good by the next one
		}
		for _, k := range slices.Clone(w.workers) {
			w.step(k)
		}
		w.land(10)
	}
}

func (w *world) settled() bool {
	for _, k := range w.workers {
		if !k.current() || k.m == nil || k.flight != nil || k.m.Deletable() > 0 {
			return false
		}
	}
	for _, p := range w.partitions {
		if p.committed < int64(len(p.log)) {
			return false
		}
	}
	return len(w.lanes) == 0
}

// silence ends all former sessions, whose last writes nobody would find otherwise
// before the next session begins.
func (w *world) silence() {
	for _, k := range slices.Clone(w.workers) {
		if !k.current() {
			w.cut(k)
		}
	}
	for len(w.lanes) > 0 && w.err == nil {
		w.land(1)
	}
}

// tick appends something to every partition, so that time goes on there.
func (w *world) tick() {
	for _, p := range w.partitions {
		w.append(p, "what", []byte("time goes on"))
	}
}
