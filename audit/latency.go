package audit

import "math"

// Latency is a distribution of latencies in milliseconds. Percentiles come from
// the bins and are off by at most 1 %; Sum and Max are exact. A negative
// latency means that two clocks disagree: such are counted apart, because
// clamping them to zero would hide the skew, and real latency with it. The zero
// value is empty. Not safe for concurrent use.
type Latency struct {
	Bins        Bins
	Sum         uint64 // of the latencies that are not negative
	Max         int64  // the largest that is not negative
	Negative    uint64 // how many are negative
	NegativeMax int64  // the largest magnitude among those
}

// Add counts one latency.
func (l *Latency) Add(ms int64) {
	if ms < 0 {
		l.Negative++
		l.NegativeMax = max(l.NegativeMax, negate(ms))
		return
	}
	l.Sum += uint64(ms)
	l.Max = max(l.Max, ms)
	l.Bins.Put(BinOf(ms), 1)
}

func negate(ms int64) int64 {
	if ms == math.MinInt64 {
		return math.MaxInt64
	}
	return -ms
}

// Merge adds another distribution. It copies: o stays as it was and shares
// nothing.
func (l *Latency) Merge(o *Latency) {
	l.Sum += o.Sum
	l.Max = max(l.Max, o.Max)
	l.Negative += o.Negative
	l.NegativeMax = max(l.NegativeMax, o.NegativeMax)
	l.Bins.merge(o.Bins)
}

// Equal says whether two distributions are the same.
func (l *Latency) Equal(o *Latency) bool {
	return l.Sum == o.Sum && l.Max == o.Max && l.Negative == o.Negative && l.NegativeMax == o.NegativeMax && l.Bins.Equal(o.Bins)
}

// Empty says that nothing has been added.
func (l *Latency) Empty() bool { return l.Bins.Len() == 0 && l.Negative == 0 }

// Clone is a copy that shares nothing with l.
func (l *Latency) Clone() Latency {
	c := *l
	c.Bins = l.Bins.Clone()
	return c
}

// Count is the number of latencies that are not negative.
func (l *Latency) Count() uint64 { return l.Bins.Count() }

// Mean is in milliseconds; 0 when there is nothing.
func (l *Latency) Mean() float64 {
	if n := l.Count(); n > 0 {
		return float64(l.Sum) / float64(n)
	}
	return 0
}

// Quantile gives the latency, in milliseconds, that a share q of the messages
// does not exceed, off by at most 1 % up to 241 days; 0 when there is
// nothing. It never exceeds Max.
func (l *Latency) Quantile(q float64) float64 {
	n := l.Count()
	if n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(n)))
	var seen uint64
	for bin, k := range l.Bins.All() {
		if seen += k; seen >= rank {
			return min(BinValue(bin), float64(l.Max))
		}
	}
	return float64(l.Max)
}
