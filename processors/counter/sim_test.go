package counter

import (
	"flag"
	"maps"
	"slices"
	"testing"
)

// The simulation: one source partition, its table partition and its audit
// partition as append-only logs, and any number of owners that the group
// coordinator lets in one after another, while the former ones go on from their
// stale memory, or die at any point with any prefix of their unsent writes still
// to arrive. Nothing is timed; a random schedule decides what happens next.
// The same seed gives the same run. It is in four files: the world and its
// schedule, the owners, the logs, and what must be true in the end.
var (
	seeds = flag.Int("seeds", 300, "simulated runs of each kind")
	seed  = flag.Uint64("seed", 1, "first seed")
)

// The source's log stays as it is, the configuration too: nothing is missed,
// one generation is enough, and every count is exact.
func TestSimulationWithASoundLog(t *testing.T) { simulateMany(t, world{}) }

// Retention overtakes owners, and the configuration changes: what is counted
// and what is said to be missed cover the log.
func TestSimulationWithLosses(t *testing.T) {
	simulateMany(t, world{retention: true, reconfigure: true})
}

// Owners do not agree on where counting begins.
func TestSimulationWithoutAStart(t *testing.T) { simulateMany(t, world{wander: true}) }

// The source is a compacted topic: messages vanish behind, or ahead of, their readers.
func TestSimulationOfACompactedSource(t *testing.T) { simulateMany(t, world{vanish: true}) }

// The source's log is cut once, and grows again with other messages.
func TestSimulationWithACutLog(t *testing.T) { simulateMany(t, world{truncate: true}) }

func simulateMany(t *testing.T, kind world) {
	sum := map[string]int{}
	bad := 0
	for s := *seed; s < *seed+uint64(*seeds); s++ {
		w := simulate(s, kind)
		if w.err != nil {
			t.Errorf("-seed %d -seeds 1: %v", s, w.err)
			if bad++; bad > 5 {
				break
			}
		}
		for k, v := range w.stats {
			sum[k] += v
		}
	}
	for _, k := range slices.Sorted(maps.Keys(sum)) {
		t.Logf("%-22s %d", k, sum[k])
	}
}
