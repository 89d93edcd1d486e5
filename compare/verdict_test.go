package compare

import (
	"math/rand/v2"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestPercentilesAreThoseOfTheDistribution(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	for run := range 500 {
		var l audit.Latency
		for range rng.IntN(300) {
			l.Add(rng.Int64N(1<<rng.IntN(30)) - 5)
		}
		got := PercentilesOf(&l)
		if got == nil {
			if l.Count()+l.Negative > 0 {
				t.Fatalf("seed %d run %d: none", seed, run)
			}
			continue
		}
		want := Percentiles{Count: l.Count(), P50: l.Quantile(0.5), P95: l.Quantile(0.95), P99: l.Quantile(0.99), Max: l.Max, Negative: l.Negative, NegativeMax: l.NegativeMax}
		if *got != want {
			t.Fatalf("seed %d run %d: %+v, want %+v", seed, run, *got, want)
		}
	}
}
