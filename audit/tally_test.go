package audit

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func newRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestTallyCountsEachClassApart(t *testing.T) {
	var tally Tally
	for _, e := range []Event{
		{Bytes: 10, Hash: 1, Class: Timed, Latency: 100},
		{Bytes: 20, Hash: 2, Class: Timed, Latency: -7},
		{Bytes: 30, Hash: 3, Class: NoTime, Latency: 1 << 40},
		{Bytes: 40, Hash: 4, Class: Malformed, Latency: 1 << 40},
		{Bytes: 50, Hash: math.MaxUint64, Class: OutOfBounds, Latency: 1 << 40},
		{Bytes: 0, Hash: 5, Class: Timed, Latency: math.MinInt64 + 1},
		{Bytes: 60, Hash: 6, Class: Timed, Latency: NoLatency},
	} {
		tally.Add(&e)
	}
	want := Tally{Count: 7, Bytes: 210, NoTime: 1, Malformed: 1, OutOfBounds: 1, Fingerprint: 20, PowerSums: tally.PowerSums, Moments: tally.Moments}
	want.Latency = Latency{Sum: 100, Max: 100, Negative: 2, NegativeMax: math.MaxInt64}
	want.Latency.Bins.Put(BinOf(100), 1)
	if !tally.Equal(&want) {
		t.Errorf("tally %+v, want %+v", tally, want)
	}
}

func TestTalliesMergeInAnyOrderAndGrouping(t *testing.T) {
	rng := newRand(t)
	for range 100 {
		var whole Tally
		parts := make([]Tally, 1+rng.IntN(8))
		for range rng.IntN(300) {
			e := randomEvent(rng)
			whole.Add(e)
			parts[rng.IntN(len(parts))].Add(e)
		}
		before := make([]Tally, len(parts))
		for i := range parts {
			before[i] = parts[i].Clone()
		}
		groups := make([]Tally, 1+rng.IntN(4))
		for _, i := range rng.Perm(len(parts)) {
			groups[rng.IntN(len(groups))].Merge(&parts[i])
		}
		var sum Tally
		for _, i := range rng.Perm(len(groups)) {
			sum.Merge(&groups[i])
		}
		if !sum.Equal(&whole) || !whole.Equal(&sum) {
			t.Fatalf("merged %+v, counted at once %+v", sum, whole)
		}
		for i := range parts {
			if !parts[i].Equal(&before[i]) {
				t.Fatal("merging changed the tally that was added")
			}
		}
	}
}

func TestClonesAndMergedTalliesShareNothing(t *testing.T) {
	e := &Event{Hash: 9, Latency: 50}
	for name, copied := range map[string]func(*Tally) Tally{
		"Clone": (*Tally).Clone,
		"Merge": func(o *Tally) (c Tally) { c.Merge(o); return c },
	} {
		t.Run(name, func(t *testing.T) {
			var tally Tally
			tally.Add(e)
			tally.Latency.Bins.Put(BinOf(50), math.MaxUint32) // so that one bin is beyond a uint32
			c := copied(&tally)
			if !c.Equal(&tally) {
				t.Fatal("the copy differs")
			}
			c.Add(e)
			c.Latency.Bins.Put(BinOf(50), math.MaxUint32)
			tally.Add(&Event{Latency: 60})
			if tally.Count != 2 || tally.Latency.Count() != 2+math.MaxUint32 || c.Count != 2 || c.Latency.Count() != 2+2*math.MaxUint32 {
				t.Errorf("counts %d and %d, latencies %d and %d", tally.Count, c.Count, tally.Latency.Count(), c.Latency.Count())
			}
		})
	}
}

func TestEqualSeesEveryField(t *testing.T) {
	for name, change := range map[string]func(*Tally){
		"Count":       func(t *Tally) { t.Count++ },
		"Bytes":       func(t *Tally) { t.Bytes++ },
		"NoTime":      func(t *Tally) { t.NoTime++ },
		"Malformed":   func(t *Tally) { t.Malformed++ },
		"OutOfBounds": func(t *Tally) { t.OutOfBounds++ },
		"Fingerprint": func(t *Tally) { t.Fingerprint++ },
		"PowerSums":   func(t *Tally) { t.PowerSums[6]++ },
		"Moments":     func(t *Tally) { t.Moments[6]++ },
		"Sum":         func(t *Tally) { t.Latency.Sum++ },
		"Max":         func(t *Tally) { t.Latency.Max++ },
		"Negative":    func(t *Tally) { t.Latency.Negative++ },
		"NegativeMax": func(t *Tally) { t.Latency.NegativeMax++ },
		"a bin":       func(t *Tally) { t.Latency.Bins.Put(5, 1) },
		"a later bin": func(t *Tally) { t.Latency.Bins.Put(900, 1) },
	} {
		var a Tally
		a.Add(&Event{Latency: 10})
		b := a.Clone()
		change(&b)
		if a.Equal(&b) || b.Equal(&a) {
			t.Errorf("tallies that differ in %s are equal", name)
		}
	}
}

func TestAddDoesNotAllocateInSteadyState(t *testing.T) {
	events := benchEvents(rand.New(rand.NewPCG(1, 1)))
	var tally Tally
	for i := range events {
		tally.Add(&events[i])
	}
	i := 0
	if n := testing.AllocsPerRun(len(events), func() { tally.Add(&events[i%len(events)]); i++ }); n != 0 {
		t.Errorf("%v allocations per message", n)
	}
}

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	rng := newRand(t)
	for range 50 {
		var l Latency
		exact := make([]int64, 1+rng.IntN(3000))
		spread := rng.Float64() * 20
		for i := range exact {
			exact[i] = int64(math.Exp(rng.Float64() * spread))
			l.Add(exact[i])
		}
		slices.Sort(exact)
		for _, q := range []float64{0, 0.01, 0.5, 0.95, 0.99, 1} {
			want := float64(exact[max(0, int(math.Ceil(q*float64(len(exact))))-1)])
			if got := l.Quantile(q); math.Abs(got-want) > 0.01*want || got > float64(l.Max) {
				t.Errorf("quantile %v of %d is %v, exact %v", q, len(exact), got, want)
			}
		}
		var sum int64
		for _, ms := range exact {
			sum += ms
		}
		if want := float64(sum) / float64(len(exact)); l.Mean() != want {
			t.Errorf("mean %v, want %v", l.Mean(), want)
		}
	}
	t.Run("of nothing is 0", func(t *testing.T) {
		var l Latency
		l.Add(-5)
		if l.Quantile(0.99) != 0 || l.Mean() != 0 || l.Count() != 0 {
			t.Errorf("%+v has a latency", l)
		}
	})
}

func benchEvents(rng *rand.Rand) []Event {
	events := make([]Event, 1024)
	for i := range events {
		events[i] = Event{Bytes: 200, Hash: rng.Uint64(), Moment: rng.Uint64(), Latency: rng.Int64N(5000)}
	}
	return events
}

func BenchmarkTallyAdd(b *testing.B) {
	events := benchEvents(rand.New(rand.NewPCG(1, 1)))
	var tally Tally
	for i := range events {
		tally.Add(&events[i])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		tally.Add(&events[i%len(events)])
		i++
	}
}

func BenchmarkHash200(b *testing.B) {
	key, value := make([]byte, 16), make([]byte, 184)
	b.ReportAllocs()
	for b.Loop() {
		Hash(key, value)
	}
}
