package compare

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A pipe does to messages what a pipeline can do, a number of times each.
func pipe(rng *rand.Rand, from []message, lose, double, alter int) []message {
	order := rng.Perm(len(from))
	to := slices.Clone(from)
	for _, i := range order[:alter] {
		to[i].hash = rng.Uint64()
	}
	for _, i := range order[alter : alter+double] {
		to = append(to, from[i])
	}
	gone := map[message]bool{}
	for _, i := range order[alter+double : alter+double+lose] {
		gone[from[i]] = true
	}
	return slices.DeleteFunc(to, func(m message) bool { return gone[m] })
}

func TestWhatIsDoneToFewMessagesIsToldExactly(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	for run := range 3000 {
		lose, double, alter := rng.IntN(5), rng.IntN(5), rng.IntN(3)
		if lose+double+2*alter > MostNamed {
			continue
		}
		from := messages(rng, 12+rng.IntN(50))
		a, b := sumOf(from), sumOf(pipe(rng, from, lose, double, alter))
		got := differ(&a, &b)
		if got.missing != uint64(lose) || got.duplicated != uint64(double) || got.altered != uint64(alter) || !got.exact() {
			t.Fatalf("seed %d run %d: lost %d, doubled %d, altered %d: told %+v", seed, run, lose, double, alter, got)
		}
	}
}

// However much is done, what is said holds: numbers are exact, or too low, and never is
// nothing said.
func TestWhatIsToldIsNeverTooMuch(t *testing.T) {
	const seed = 2
	rng := rand.New(rand.NewPCG(seed, 0))
	for run := range 3000 {
		lose, double, alter := rng.IntN(30), rng.IntN(30), rng.IntN(30)
		from := messages(rng, 100)
		a, b := sumOf(from), sumOf(pipe(rng, from, lose, double, alter))
		got := differ(&a, &b)
		if got.none() != (lose+double+alter == 0) {
			t.Fatalf("seed %d run %d: lost %d, doubled %d, altered %d: told %+v", seed, run, lose, double, alter, got)
		}
		exact := (got.bound != Exactly || got.missing == uint64(lose) && got.duplicated == uint64(double)) &&
			(got.alteredBound != Exactly || got.altered == uint64(alter))
		low := got.missing <= uint64(lose) && got.duplicated <= uint64(double) && got.altered <= uint64(alter)
		if !exact || !low {
			t.Fatalf("seed %d run %d: lost %d, doubled %d, altered %d: told %+v", seed, run, lose, double, alter, got)
		}
	}
}

func TestWithoutPowerSumsADifferenceIsSeenAndNotTold(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 0))
	from := messages(rng, 40)
	a, b := sumOf(from), sumOf(pipe(rng, from, 2, 2, 0))
	a.Unnamed = true
	if got := differ(&a, &b); got.altered != 1 || got.exact() {
		t.Errorf("told %+v", got)
	}
	a.Unprinted = true
	if got := differ(&a, &b); !got.none() || !got.countsOnly {
		t.Errorf("told %+v", got)
	}
}

// A message that is doubled many times is one message: that says nothing of how many
// others are altered.
func TestAlterationIsSeenBesideAMessageDoubledOften(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 0))
	from := messages(rng, 20)
	to := pipe(rng, from[1:], 0, 0, 3)
	for range 6 {
		to = append(to, from[0])
	}
	a, b := sumOf(from), sumOf(to)
	if got := differ(&a, &b); got.duplicated != 5 || got.altered == 0 || got.altered > 3 || got.exact() {
		t.Errorf("told %+v", got)
	}
}

func TestAllThatIsLostIsNamed(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 0))
	from := messages(rng, 3)
	a, b := sumOf(from), Sum{}
	if got := differ(&a, &b); got.missing != 3 || len(got.ids) != 3 || got.bound != Exactly {
		t.Errorf("told %+v", got)
	}
}

// Partitions were added on the way: some messages are in others than before, and most
// partitions agree all the same. What went elsewhere is neither missing nor doubled.
func TestMessagesInOtherPartitionsAreNeitherMissingNorDoubled(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 0))
	from, to := Side{Tier: "a"}, Side{Tier: "b"}
	put := func(s *Side, partition int32, list []message) {
		s.Parts = append(s.Parts, Part{Partition: partition, Sum: sumOf(list)})
	}
	moved := messages(rng, 30)
	put(&from, 0, moved)
	put(&to, 0, moved[:15])
	put(&to, 1, append(moved[15:29:29], moved[3])) // one is lost, and one is doubled
	for p := int32(2); p < 9; p++ {
		list := messages(rng, 5)
		put(&from, p, list)
		put(&to, p, list)
	}
	in := Input{Pipeline: &Pipeline{Tiers: []string{"a", "b"}}, Sides: []Side{from, to}, Counted: []bool{true, true}}
	findings, _ := Judge(&in)
	if len(findings) != 2 || findings[0].Messages != 1 || findings[1].Messages != 1 || findings[0].Bound != Exactly {
		t.Errorf("found %+v", findings)
	}
}

// All of a partition is gone, and not all of it is missing: some came to another one.
func TestAPartitionThatIsEmptyMayBeElsewhere(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 0))
	a, b := messages(rng, 6), messages(rng, 6)
	in := Input{Pipeline: &Pipeline{Tiers: []string{"a", "b"}}, Counted: []bool{true, true}, Sides: []Side{
		{Tier: "a", Parts: []Part{{Partition: 0, Sum: sumOf(a)}, {Partition: 1, Sum: sumOf(b)}}},
		{Tier: "b", Parts: []Part{{Partition: 2, Sum: sumOf(a[:1])}, {Partition: 3, Sum: sumOf(b[:1])}}},
	}}
	findings, _ := Judge(&in)
	if len(findings) != 1 || findings[0].Kind != Missing || findings[0].Messages != 10 || findings[0].Bound != AtLeast {
		t.Errorf("found %+v", findings)
	}
}
