package sink

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seeds     = flag.Uint64("seeds", 200, "seeds of the simulation to run")
	firstSeed = flag.Uint64("seed", 1, "first seed")
)

// TestSimulation: instances between which partitions move, paused ones among them
// that go on, ones that stop in order, ones that are killed; a store that is away,
// that hangs, that takes a batch or a part of it and does not say so; records that
// it rejects, and such that nobody can read. What is committed is in the store or
// set aside, at any moment. Nothing is acknowledged more often than it was read,
// and nothing set aside that is sound. In the end all is committed.
//
// It is the product's own code but for the store and the coordinator, on a clock
// that stands still until everybody waits. A seed gives the same events; in which
// order a goroutine sees those that come together is not its to say.
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
		t.Logf("%-16s %d", k, sum[k])
	}
	t.Logf("simulated processors/sink seeds %d records %d read %d wrong %d", sum["seeds"], sum["records"], sum["read"], wrong)
}

// mistake switches a mistake on: the simulation must notice each of them.
type mistake struct {
	commitRead    bool // what has been read is committed, not what is settled
	believeErrors bool // a batch is taken for written though the store did not say so
	rejectSound   bool // a sound record is set aside when the store stumbles
	submitTwice   bool // a record goes to the store twice
	forget        bool // a record is read and goes nowhere
}

func TestMistakesAreFound(t *testing.T) {
	for name, m := range map[string]mistake{
		"what is read is committed":           {commitRead: true},
		"a write of unknown outcome believed": {believeErrors: true},
		"a sound record set aside":            {rejectSound: true},
		"a record submitted twice":            {submitTwice: true},
		"a record forgotten":                  {forget: true},
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
	w := &world{mistake: m, Rand: rand.New(rand.NewPCG(seed, 5)), bad: map[int64]bool{}, taken: map[int64]bool{}, aside: map[int64]bool{}, stats: map[string]int{}}
	synctest.Test(t, func(t *testing.T) {
		w.batch = 1 + w.IntN(20)
		for p := range w.logs {
			w.logs[p] = &auditLog{number: int32(p)}
		}
		w.rebalance()
		for steps := 60 + w.draw(100); steps > 0; steps-- {
			w.step()
			synctest.Wait()
			w.checkBooks()
		}
		w.finish()
	})
	return w
}

// draw is for the test's own goroutine, which the others may overtake.
func (w *world) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.IntN(n)
}

func (w *world) step() {
	switch r := w.draw(40); {
	case r < 8:
		w.produce(1 + w.draw(12))
	case r < 10:
		w.rebalance()
	case r == 10:
		w.kill(w.anyone())
	case r == 11:
		w.setMood(w.draw(3))
	case r == 12:
		w.drain(w.anyone())
	case r == 13:
		w.wake()
	case r < 18:
		time.Sleep(time.Duration(w.draw(3000)) * time.Millisecond)
	case r == 18:
		time.Sleep(time.Duration(w.draw(120)) * time.Second)
	default:
		if len(w.feeds) > 0 {
			w.deliver(w.feeds[w.draw(len(w.feeds))], 1+w.draw(15))
		}
	}
}

// finish has the store recover, and everything written.
func (w *world) finish() {
	w.setMood(well)
	w.rebalance()
	for range 20 {
		for _, f := range w.feeds {
			w.deliver(f, 1000)
		}
		time.Sleep(time.Minute)
	}
	synctest.Wait()
	w.checkBooks()
	for _, l := range w.logs {
		if l.committed != int64(len(l.log)) {
			w.fail("partition %d is committed up to %d of %d", l.number, l.committed, len(l.log))
		}
	}
	for range len(w.instances) {
		w.kill(w.instances[0])
	}
	w.instances[0].kill() // the one that takes their place
}

func (w *world) fail(format string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, a...)
	}
}
