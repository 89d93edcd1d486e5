package counter

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// The simulation: a source partition, its table partition and its audit partition
// as append-only logs, and any number of owners that the group coordinator lets in
// one after another, while the former ones go on from their stale memory, or die
// at any point with any prefix of their unsent writes still to arrive. Nothing is
// timed; a random schedule decides what happens next. The same seed gives the
// same run.
//
//	sim_world_test.go     the schedule, and what may befall
//	sim_source_test.go    a log, and what each position and version of it says
//	sim_owners_test.go    sessions that count it
//	sim_writes_test.go    what they write, and how they die
//	sim_logs_test.go      table and audit topic, compaction, the collector
//	sim_books_test.go     what must balance at every moment
//	sim_check_test.go     what must be true in the end, by sim_truth_test.go
//	sim_recovery_test.go  ... and of the next recovery, and of what is left in the table
//	sim_mistakes_test.go  mistakes that the simulation must find
//	sim_crash_test.go     a crash at every point of a flush, one after the other
var (
	seeds = flag.Int("seeds", 900, "simulated runs, dealt out to the kinds of worlds")
	seed  = flag.Uint64("seed", 1, "first seed")
	hunt  = flag.Bool("hunt", false, "look for mistakes from the first seed on, not near one that is known to find them")
)

// kinds of worlds. Each has its share of the seeds.
var kinds = []struct {
	name string
	kind
}{
	{"sound log", kind{}},
	{"hostile event times", kind{hostile: true}},
	{"crash-looping owners", kind{crashLoop: true}},
	{"retention and new configuration", kind{retention: true, reconfigure: true}},
	{"owners without a common start", kind{wander: true}},
	{"compacted log", kind{vanish: true}},
	{"cut log", kind{truncate: true}},
	{"topic made again", kind{recreate: true}},
	{"any of these at once", kind{anything: true}},
}

// TestSimulation runs worlds of all kinds. The lines that begin with "world" and
// "simulated" are read by internal/simulate.
func TestSimulation(t *testing.T) {
	all := tally{}
	share := (*seeds + len(kinds) - 1) / len(kinds)
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			sum := tally{}
			for s := *seed; s < *seed+uint64(share); s++ {
				w := simulate(s, k.kind, mistake{})
				sum.add(w.stats)
				sum["seeds"]++
				if w.err != nil {
					tell(t, s, k.kind)
					sum["wrong"]++
					t.Errorf("-run 'TestSimulation/%s' -seed %d -seeds 1: %v", k.name, s, w.err)
				}
				if sum["wrong"] > 5 {
					break
				}
			}
			all.add(sum)
			t.Logf("world %q %s", k.name, sum)
			for _, name := range slices.Sorted(maps.Keys(sum)) {
				if !slices.Contains(reported, name) {
					t.Logf("%-24s %d", name, sum[name])
				}
			}
		})
	}
	t.Logf("simulated processors/counter %s", all)
}

// TestSimulationOfWhatFailedOnce: the schedules that showed what was wrong. They do
// so as long as the schedule stays the same; the stories without chance are in
// counter_test.go, recover_test.go and restart_test.go.
func TestSimulationOfWhatFailedOnce(t *testing.T) {
	for _, x := range []struct {
		was  string
		kind kind
		seed uint64
	}{
		{"a segment turned late where all messages of another had been compacted away", kind{vanish: true}, 101},
		{"rows ahead had counted what was no longer in the log", kind{truncate: true}, 1514},
		{"a row of a closed segment lay beyond the ledger", kind{truncate: true}, 143},
		{"a generation that began with a new configuration knew of no last message", kind{anything: true}, 1222},
		{"a generation begun twice went on, where the log did not reach back to one of them", kind{retention: true, reconfigure: true}, 1006939},
	} {
		if w := simulate(x.seed, x.kind, mistake{}); w.err != nil {
			t.Errorf("%s: seed %d: %v", x.was, x.seed, w.err)
		}
	}
}

// tell tells the story of a run, if it is the only one.
func tell(t *testing.T, seed uint64, k kind) {
	if *seeds > 1 {
		return
	}
	w := newWorld(seed, k, mistake{})
	w.story = new([]string)
	w.run()
	t.Log(w.kind, "\n"+strings.Join(*w.story, "\n"))
}

// tally is how often something happened in a run, or in many.
type tally map[string]int

func (t tally) add(o tally) {
	for k, n := range o {
		t[k] += n
	}
}

// reported is what a line about many runs says, in this order.
var reported = []string{"seeds", "windows", "exact", "messages", "claims", "zombie-writes", "wrong"}

func (t tally) String() (s string) {
	for _, k := range reported {
		s += fmt.Sprintf("%s %d ", k, t[k])
	}
	return s[:len(s)-1]
}
