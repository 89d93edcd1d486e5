package codecs_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

// All formats read a number as JSON does when it is written there.
func TestNumbersMeanTheSameInEveryFormat(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for _, unit := range []string{"", "s", "ms", "us", "ns"} {
		rule := codecs.Rule{Unit: unit}
		times := mustTimes(t, rule)
		check := func(what string, ms int64, ok bool, number string) {
			t.Helper()
			want, s := mustJSON(t, rule).EventTime(&codecs.Message{Value: fmt.Appendf(nil, `{"ts":%s}`, number)})
			if ok != (s == codecs.Found) || ok && ms != want {
				t.Errorf("%s %s in %q is %d %t, in JSON %d %s", what, number, unit, ms, ok, want, s)
			}
		}
		for range 2000 {
			n := int64(rnd.Uint64()) >> rnd.IntN(64)
			ms, ok := times.Int(n)
			check("integer", ms, ok, fmt.Sprint(n))
			u := rnd.Uint64() >> rnd.IntN(64)
			ms, ok = times.Uint(u)
			check("unsigned", ms, ok, fmt.Sprint(u))
			x := math.Float64frombits(rnd.Uint64())
			if rnd.IntN(2) == 0 {
				x = float64(n) / 1000
			}
			text, err := json.Marshal(x)
			if err != nil {
				continue // not a number
			}
			ms, ok = times.Float(x)
			check("float", ms, ok, string(text))
		}
		for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			if ms, ok := times.Float(x); ok {
				t.Errorf("%v is the time %d", x, ms)
			}
		}
	}
	times := mustTimes(t, codecs.Rule{})
	if n := testing.AllocsPerRun(10, func() { times.Float(1795285200.123) }); n != 0 {
		t.Errorf("Float costs %v allocations", n)
	}
	if ms, ok := times.Float(1795285200.123); !ok || ms != 1795285200123 {
		t.Errorf("binary rounding moves it to %d %t", ms, ok)
	}
}

func mustTimes(t testing.TB, r codecs.Rule) codecs.Times {
	t.Helper()
	var p codecs.Problems
	times := codecs.NewTimes(r, &p)
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	return times
}
