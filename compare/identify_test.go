package compare

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

// message is a hash and a moment that stand for a message.
type message struct{ hash, moment uint64 }

func sumOf(list []message) (s Sum) {
	for _, m := range list {
		s.Count++
		s.Fingerprint += m.hash
		s.IDs.Add(m.hash)
		s.Moments.Add(m.moment)
	}
	return s
}

func messages(rng *rand.Rand, n int) (list []message) {
	for range n {
		list = append(list, message{rng.Uint64(), rng.Uint64()})
	}
	return list
}

func idOf(hash uint64) uint64 {
	if id := hash % prime; id != 0 {
		return id
	}
	return 1
}

func TestUpToFourMessagesAreNamed(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	for run := range 2000 {
		from := messages(rng, rng.IntN(30))
		n := rng.IntN(MostNamed + 1)
		var want []MessageID
		to := slices.Clone(from)
		for i := range n {
			switch {
			case i < len(from) && rng.IntN(2) == 0: // less often
				want = append(want, MessageID{idOf(from[i].hash), -1})
				to = slices.DeleteFunc(to, func(m message) bool { return m == from[i] })
			default:
				m, times := message{rng.Uint64(), 0}, 1+rng.IntN(3)
				want = append(want, MessageID{idOf(m.hash), int64(times)})
				for range times {
					to = append(to, m)
				}
			}
		}
		a, b := sumOf(from), sumOf(to)
		got, ok := Identify(int64(b.Count-a.Count), &a.IDs, &b.IDs)
		byID := func(x, y MessageID) int { return cmp.Compare(x.ID, y.ID) }
		slices.SortFunc(got, byID)
		slices.SortFunc(want, byID)
		if !ok || !slices.Equal(got, want) {
			t.Fatalf("seed %d run %d: named %v (%t), want %v", seed, run, got, ok, want)
		}
	}
}

func TestMoreThanFourMessagesAreNotNamed(t *testing.T) {
	const seed = 2
	rng := rand.New(rand.NewPCG(seed, 0))
	for run := range 2000 {
		a, b := sumOf(messages(rng, rng.IntN(6))), sumOf(messages(rng, 5+rng.IntN(20)))
		if ids, ok := Identify(int64(b.Count-a.Count), &a.IDs, &b.IDs); ok {
			t.Fatalf("seed %d run %d: named %v", seed, run, ids)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add(int64(0), uint64(0), uint64(0), uint64(0), uint64(0))
	f.Add(int64(-3), uint64(1), uint64(2), uint64(3), uint64(1<<61))
	f.Fuzz(func(t *testing.T, count int64, a, b, c, d uint64) {
		from, to := audit.PowerSums{a % prime, b % prime, c % prime}, audit.PowerSums{d % prime, a % prime}
		ids, ok := Identify(count, &from, &to)
		if !ok {
			return
		}
		sum := uint64(0)
		for _, id := range ids {
			sum = plus(sum, times(signed(id.Times), id.ID))
		}
		if want := minus(to[0], from[0]); sum != want {
			t.Fatalf("%v add up to %d, and the sums differ by %d", ids, sum, want)
		}
	})
}

func BenchmarkIdentify(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 0))
	all := messages(rng, 50)
	from, to := sumOf(all), sumOf(all[4:])
	for b.Loop() {
		if _, ok := Identify(-4, &from.IDs, &to.IDs); !ok {
			b.Fatal("not named")
		}
	}
}
