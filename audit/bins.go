package audit

import (
	"iter"
	"math"
	"slices"
)

// Gamma is the ratio of the bounds of a bin. A value in the middle of a bin
// (in the sense of BinValue) is off by at most (Gamma-1)/(Gamma+1), 1 %.
const Gamma = 1.02

// The least and greatest bin: the first holds exactly 0 ms, the last all from
// 242 days up.
const (
	MinBin int16 = -1
	MaxBin int16 = 1200
)

// BinOf is the bin of a latency in milliseconds: MinBin for 0, else
// ceil(log(ms)/log(Gamma)), as in DDSketch (Masson et al., VLDB 2019).
// Negative latencies have no bin; see Latency.
func BinOf(ms int64) int16 {
	if uint64(ms) < uint64(len(smallBins)) {
		return smallBins[ms]
	}
	return binByLog(ms)
}

func binByLog(ms int64) int16 {
	if ms <= 0 {
		return MinBin
	}
	return int16(min(float64(MaxBin), math.Ceil(math.Log(float64(ms))*invLogGamma)))
}

var invLogGamma = 1 / math.Log(Gamma)

// smallBins saves the logarithm up to a minute.
var smallBins = func() (t [1 << 16]int16) {
	for ms := range t {
		t[ms] = binByLog(int64(ms))
	}
	return t
}()

// BinValue is the latency, in milliseconds, that stands for a bin:
// 2*Gamma^bin/(Gamma+1), and 0 for MinBin.
func BinValue(bin int16) float64 {
	if bin <= MinBin {
		return 0
	}
	return 2 * math.Pow(Gamma, float64(bin)) / (Gamma + 1)
}

// Bins counts values per bin. It is dense, because the latencies of a window
// lie close together. The zero value is empty.
type Bins struct {
	low int16 // bin of n[0]
	n   []uint32
	big map[int16]uint64 // what exceeds a uint32: merged tallies only
}

// Put adds n to a bin, which is clamped to MinBin and MaxBin.
func (b *Bins) Put(bin int16, n uint64) {
	bin = min(max(bin, MinBin), MaxBin)
	d := int(bin) - int(b.low)
	if uint(d) >= uint(len(b.n)) {
		d = b.grow(bin)
	}
	if sum := uint64(b.n[d]) + n; sum <= math.MaxUint32 && sum >= n {
		b.n[d] = uint32(sum)
		return
	}
	if b.big == nil {
		b.big = map[int16]uint64{}
	}
	b.big[bin] += n
}

// grow makes room for a bin and says where it is.
func (b *Bins) grow(bin int16) int {
	switch {
	case len(b.n) == 0:
		b.low = bin
		b.n = make([]uint32, 1, 8)
	case bin < b.low:
		more := int(b.low) - int(bin)
		b.n = append(make([]uint32, more, more+len(b.n)), b.n...)
		b.low = bin
	default:
		b.n = append(b.n, make([]uint32, int(bin)-int(b.low)+1-len(b.n))...)
	}
	return int(bin) - int(b.low)
}

// All yields the bins that are not empty, in order.
func (b Bins) All() iter.Seq2[int16, uint64] {
	return func(yield func(int16, uint64) bool) {
		for i, n := range b.n {
			bin := b.low + int16(i)
			if sum := uint64(n) + b.big[bin]; sum > 0 && !yield(bin, sum) {
				return
			}
		}
	}
}

// Count is the sum of all bins.
func (b Bins) Count() (sum uint64) {
	for _, n := range b.All() {
		sum += n
	}
	return sum
}

// Len is the number of bins that are not empty.
func (b Bins) Len() (n int) {
	for range b.All() {
		n++
	}
	return n
}

// Clone is a copy that shares nothing with b.
func (b Bins) Clone() Bins {
	c := Bins{low: b.low, n: slices.Clone(b.n)}
	for bin, n := range b.big {
		c.Put(bin, n)
	}
	return c
}

// Equal says whether the same counts are in the same bins.
func (b Bins) Equal(o Bins) bool {
	next, stop := iter.Pull2(o.All())
	defer stop()
	for bin, n := range b.All() {
		obin, on, ok := next()
		if !ok || obin != bin || on != n {
			return false
		}
	}
	_, _, more := next()
	return !more
}
