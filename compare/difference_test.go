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
