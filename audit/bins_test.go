package audit

import (
	"maps"
	"math"
	"testing"
)

func TestBinsAreOffByOnePercentAtMost(t *testing.T) {
	most := (Gamma - 1) / (Gamma + 1) * (1 + 1e-9)
	check := func(ms int64) {
		got := BinValue(BinOf(ms))
		if math.Abs(got-float64(ms)) > most*float64(ms) {
			t.Fatalf("%d ms is in bin %d, which stands for %v", ms, BinOf(ms), got)
		}
	}
	for ms := range int64(200_000) {
		check(ms)
	}
	for ms := int64(200_000); ms < 241*day*1000; ms += 1 + ms/5000 {
		check(ms)
	}
}

func TestBinsByTableAndByLogarithmAreTheSame(t *testing.T) {
	for ms := range int64(100_000) {
		want := int16(-1)
		if ms > 0 {
			want = int16(math.Ceil(math.Log(float64(ms)) / math.Log(1.02)))
		}
		if BinOf(ms) != want || binByLog(ms) != want {
			t.Fatalf("%d ms is in bin %d by table and %d by logarithm, want %d", ms, BinOf(ms), binByLog(ms), want)
		}
	}
}

func TestBinsByCoarseTableAreThoseByLogarithm(t *testing.T) {
	check := func(ms int64) {
		if BinOf(ms) != binByLog(ms) {
			t.Fatalf("%d ms is in bin %d by table and %d by logarithm", ms, BinOf(ms), binByLog(ms))
		}
	}
	for ms := int64(65_000); ms < 90_000_000; ms += 29 {
		check(ms)
	}
	edges := 0
	for _, bound := range upperBounds {
		if bound > 0 {
			edges++
			check(bound - 1)
			check(bound)
			check(bound + 1)
		}
	}
	if edges < 300 {
		t.Errorf("only %d bounds looked at", edges)
	}
}

func TestBinsOfKnownLatencies(t *testing.T) {
	// These numbers are in stored records: they must never change.
	for ms, want := range map[int64]int16{
		math.MinInt64: -1, -1: -1, 0: -1, 1: 0, 2: 36, 3: 56, 10: 117, 1000: 349, 60_000: 556, 65_535: 561, 65_536: 561,
		3_600_000: 763, 86_400_000: 923, 242 * day * 1000: 1200, math.MaxInt64: 1200,
	} {
		if got := BinOf(ms); got != want {
			t.Errorf("%d ms is in bin %d, want %d", ms, got, want)
		}
	}
}

func TestBinsHoldWhatAMapHolds(t *testing.T) {
	rng := newRand(t)
	for range 200 {
		var b, reversed Bins
		want := map[int16]uint64{}
		type put struct {
			bin int16
			n   uint64
		}
		var puts []put
		for range rng.IntN(60) {
			p := put{int16(rng.IntN(1300)) - 50, rng.Uint64() >> (10 + rng.IntN(54))}
			puts = append(puts, p)
			b.Put(p.bin, p.n)
			if p.n > 0 {
				want[min(max(p.bin, MinBin), MaxBin)] += p.n
			}
		}
		for i := range puts {
			p := puts[len(puts)-1-i]
			reversed.Put(p.bin, p.n)
		}
		if got := maps.Collect(b.All()); !maps.Equal(got, want) {
			t.Fatalf("bins %v, want %v", got, want)
		}
		var sum uint64
		last := MinBin - 1
		for bin, n := range b.All() {
			if bin <= last {
				t.Fatalf("bin %d comes after %d", bin, last)
			}
			last = bin
			sum += n
		}
		if b.Len() != len(want) || b.Count() != sum {
			t.Fatalf("%d bins with %d, want %d with %d", b.Len(), b.Count(), len(want), sum)
		}
		c := b.Clone()
		if !b.Equal(reversed) || !reversed.Equal(b) || !c.Equal(b) {
			t.Fatal("the same counts in another order are not equal")
		}
		c.Put(int16(rng.IntN(1200)), 1)
		if b.Equal(c) || c.Equal(b) {
			t.Fatal("one more is equal")
		}
	}
}

func TestWindowsOfFewMessagesAreSmallHoweverFarApart(t *testing.T) {
	var b Bins
	for i := range int16(fewBins) {
		for range fewValues {
			b.Put(MinBin+i*37, 1)
		}
	}
	if len(b.n) > 0 || cap(b.few) > fewBins {
		t.Fatalf("%d bins take a list of %d and %d dense ones", b.Len(), cap(b.few), len(b.n))
	}
	more := b.Clone()
	more.Put(MinBin, 1)
	merged := b.Clone()
	merged.merge(Bins{few: []binCount{{MinBin, 1}}})
	if len(more.few) > 0 || len(merged.few) > 0 || more.Count() != fewBins*fewValues+1 || more.Len() != fewBins || !more.Equal(merged) || more.Equal(b) {
		t.Errorf("one more is %v, merged %v", more, merged)
	}
}
