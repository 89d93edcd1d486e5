package audit

import (
	"iter"
	"maps"
	"math"
	"slices"
)

// Gamma is the ratio of the bounds of a bin. A value in the middle of a bin
// (in the sense of BinValue) is off by at most (Gamma-1)/(Gamma+1), 1 %.
const Gamma = 1.02

// The least and greatest bin: the first holds exactly 0 ms, the last all from
// 237 days up; 241 days is the longest latency that is off by 1 % at most.
const (
	MinBin int16 = -1
	MaxBin int16 = 1200
)

// BinOf is the bin of a latency in milliseconds: MinBin for 0, else
// ceil(log(ms)/log(Gamma)), as in DDSketch (Masson et al., VLDB 2019).
// Negative latencies have no bin; see Latency.
func BinOf(ms int64) int16 {
	switch {
	case uint64(ms) < uint64(len(smallBins)):
		return smallBins[ms]
	case ms > 0 && ms>>coarse < int64(len(coarseBins)):
		// Up there a bin is wider than a step of the table, so the value is in the
		// bin of the step's beginning or in the next one.
		bin := coarseBins[ms>>coarse]
		if ms > upperBounds[bin] {
			bin++
		}
		return bin
	}
	return binByLog(ms)
}

// coarse is the width of a step of coarseBins, as a power of two.
const coarse = 10

func binByLog(ms int64) int16 {
	if ms <= 0 {
		return MinBin
	}
	return int16(min(float64(MaxBin), math.Ceil(math.Log(float64(ms))*invLogGamma)))
}

var invLogGamma = 1 / math.Log(Gamma)

// smallBins saves the logarithm up to a minute, coarseBins up to a day.
var (
	smallBins = func() (t [1 << 16]int16) {
		for ms := range t {
			t[ms] = binByLog(int64(ms))
		}
		return t
	}()
	coarseBins = func() (t [86_400_000>>coarse + 1]int16) {
		for i := range t {
			t[i] = binByLog(int64(i) << coarse)
		}
		return t
	}()
	// upperBounds are the largest values of the bins that coarseBins holds.
	upperBounds = func() (t [MaxBin + 1]int64) {
		for bin := coarseBins[len(smallBins)>>coarse]; bin <= coarseBins[len(coarseBins)-1]; bin++ {
			t[bin] = int64(math.Pow(Gamma, float64(bin))) + 2
			for binByLog(t[bin]) > bin {
				t[bin]--
			}
		}
		return t
	}()
)

// BinValue is the latency, in milliseconds, that stands for a bin:
// 2*Gamma^bin/(Gamma+1), and 0 for MinBin.
func BinValue(bin int16) float64 {
	if bin <= MinBin {
		return 0
	}
	return 2 * math.Pow(Gamma, float64(bin)) / (Gamma + 1)
}

// Bins counts values per bin. It is dense once there is much to count, because
// the latencies of a busy window lie close together and each message should
// find its bin at once; before that it is a short list, because most windows of
// most topics hold little, however far apart. The zero value is empty. Copies
// share memory: see Clone. Not safe for concurrent use.
type Bins struct {
	few []binCount // in order; empty once n is not
	low int16      // bin of n[0]
	n   []uint32
	big map[int16]uint64 // to be added to n: what a uint32 cannot hold, in merged tallies
}

type binCount struct {
	bin int16
	n   uint32
}

// The list ends with one bin more than this, or with so many values in a bin.
const (
	fewBins   = 32
	fewValues = 256
)

// Put adds n to a bin, which is clamped to MinBin and MaxBin. A counter calls it
// for every message: once a bin has been seen it allocates nothing.
func (b *Bins) Put(bin int16, n uint64) {
	i := int(bin) - int(b.low)
	if uint(i) < uint(len(b.n)) && n <= uint64(^b.n[i]) {
		b.n[i] += uint32(n)
		return
	}
	b.putSlow(bin, n)
}

// putSlow is Put for a bin not seen yet, and for counts beyond a uint32.
func (b *Bins) putSlow(bin int16, n uint64) {
	if n == 0 {
		return
	}
	bin = min(max(bin, MinBin), MaxBin)
	if len(b.n) == 0 && b.putFew(bin, n) {
		return
	}
	b.span(bin, bin)
	if i := int(bin) - int(b.low); n <= uint64(^b.n[i]) {
		b.n[i] += uint32(n)
		return
	}
	if b.big == nil {
		b.big = map[int16]uint64{}
	}
	b.big[bin] += n
}

// putFew puts into the list, unless that would be too much for it.
func (b *Bins) putFew(bin int16, n uint64) bool {
	i, found := slices.BinarySearchFunc(b.few, bin, func(c binCount, bin int16) int { return int(c.bin) - int(bin) })
	switch {
	case n > fewValues || found && uint64(b.few[i].n)+n > fewValues, !found && len(b.few) == fewBins:
		return false
	case found:
		b.few[i].n += uint32(n)
	default:
		b.few = slices.Insert(b.few, i, binCount{bin, uint32(n)})
	}
	return true
}

// span makes room for the bins from low to high, both between MinBin and
// MaxBin. A list becomes dense.
func (b *Bins) span(low, high int16) {
	if few := b.few; len(few) > 0 {
		b.few = nil
		b.span(few[0].bin, few[len(few)-1].bin)
		for _, c := range few {
			b.n[c.bin-b.low] = c.n
		}
	}
	if len(b.n) == 0 {
		b.low = low
	}
	if more := int(b.low) - int(low); more > 0 {
		b.n = append(make([]uint32, more, more+len(b.n)), b.n...)
		b.low = low
	}
	if more := int(high) - int(b.low) + 1 - len(b.n); more > 0 {
		b.n = append(b.n, make([]uint32, more)...)
	}
}

// merge adds other bins, growing at most once if those are many.
func (b *Bins) merge(o Bins) {
	if len(o.n) > 0 {
		b.span(o.low, o.low+int16(len(o.n)-1))
	}
	for bin, n := range o.All() {
		b.Put(bin, n)
	}
}

// All yields the bins that are not empty, in order.
func (b Bins) All() iter.Seq2[int16, uint64] {
	return func(yield func(int16, uint64) bool) {
		for _, c := range b.few {
			if !yield(c.bin, uint64(c.n)) {
				return
			}
		}
		for i, small := range b.n {
			bin, n := b.low+int16(i), uint64(small)
			if len(b.big) > 0 {
				n += b.big[bin]
			}
			if n > 0 && !yield(bin, n) {
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
	return Bins{few: slices.Clone(b.few), low: b.low, n: slices.Clone(b.n), big: maps.Clone(b.big)}
}

// Equal says whether the same counts are in the same bins.
func (b Bins) Equal(o Bins) bool {
	if len(b.big)+len(o.big) == 0 {
		if b.low == o.low && slices.Equal(b.n, o.n) && slices.Equal(b.few, o.few) {
			return true
		}
	}
	next, stop := iter.Pull2(o.All())
	defer stop()
	for bin, n := range b.All() {
		if obin, on, ok := next(); !ok || obin != bin || on != n {
			return false
		}
	}
	_, _, more := next()
	return !more
}
