package compare

import (
	"math/bits"
	"strconv"

	"github.com/chaperone-audit/chaperone/audit"
)

// MostNamed is how many messages power sums can name.
const MostNamed = 4

// A MessageID names a message that one tier has more often than the other: its id is
// audit.Hash of key and value, modulo 2^61-1 (1 where that is 0).
type MessageID struct {
	ID uint64 `json:"id,string"`
	// Times is how many more the second tier has; below 0, how many fewer.
	Times int64 `json:"times"`
}

func (m MessageID) String() string { return strconv.FormatUint(m.ID, 10) }

// prime is the modulus of audit's power sums.
const prime = 1<<61 - 1

// Identify names the messages in which two multisets differ, given by how much their
// counts (to - from) and their power sums do, if they are at most MostNamed different
// ones; ok is false if they are more. It does not guess: a false solution would have
// multiplicities of 61 random bits, and none above 2^32 is believed.
//
// The power sums of the difference are a sequence that obeys a linear recurrence, whose
// polynomial has the ids as roots: Berlekamp and Massey find it, Cantor and Zassenhaus
// its roots, and Vandermonde's equations the multiplicities (the signed form of
// PinSketch: Dodis et al., "Fuzzy Extractors", 2008).
func Identify(count int64, from, to *audit.PowerSums) (ids []MessageID, ok bool) {
	var s [2 * MostNamed]uint64
	s[0] = signed(count)
	for i := range to {
		s[i+1] = minus(to[i], from[i])
	}
	locator := berlekampMassey(s[:])
	n := len(locator) - 1
	switch {
	case n == 0:
		return nil, s == [2 * MostNamed]uint64{}
	case n > MostNamed || locator[n] == 0: // an id is never 0
		return nil, false
	}
	f := make([]uint64, n+1) // the locator reversed: the product of (z - id)
	for i := range locator {
		f[n-i] = locator[i]
	}
	if n > 1 { // z^p = z modulo f: all roots are there, and differ
		if z := polyPow([]uint64{0, 1}, prime, f); len(z) != 2 || z[0] != 0 || z[1] != 1 {
			return nil, false
		}
	}
	for _, id := range roots(f, 1) {
		times := multiplicity(f, s[:], id)
		if times > 1<<32 || times < -1<<32 || times == 0 {
			return nil, false
		}
		ids = append(ids, MessageID{id, times})
	}
	return ids, true
}

// signed is a number modulo the prime.
func signed(n int64) uint64 {
	if n < 0 {
		return minus(0, uint64(-n)%prime)
	}
	return uint64(n) % prime
}

// multiplicity is the weight of a root of f: the sum of q[j] s[j] over q(id), where q is
// f without that root.
func multiplicity(f, s []uint64, id uint64) int64 {
	n := len(f) - 1
	q := make([]uint64, n)
	q[n-1] = 1
	for j := n - 1; j > 0; j-- {
		q[j-1] = plus(f[j], times(id, q[j]))
	}
	above, below, power := uint64(0), uint64(0), uint64(1)
	for j := range q {
		above = plus(above, times(q[j], s[j]))
		below = plus(below, times(q[j], power))
		power = times(power, id)
	}
	w := times(above, inverse(below))
	if w > prime/2 {
		return int64(w) - prime
	}
	return int64(w)
}

// berlekampMassey gives the shortest c with c[0] = 1 and sum of c[i] s[n-i] = 0.
func berlekampMassey(s []uint64) []uint64 {
	c, b := []uint64{1}, []uint64{1}
	length, shift, last := 0, 1, uint64(1)
	for n := range s {
		d := uint64(0)
		for i := 0; i <= length && i < len(c); i++ {
			d = plus(d, times(c[i], s[n-i]))
		}
		if d == 0 {
			shift++
			continue
		}
		k, old := times(d, inverse(last)), append([]uint64(nil), c...)
		for len(c) < len(b)+shift {
			c = append(c, 0)
		}
		for i, v := range b {
			c[i+shift] = minus(c[i+shift], times(k, v))
		}
		if 2*length <= n {
			length, b, last, shift = n+1-length, old, d, 1
		} else {
			shift++
		}
	}
	for len(c) < length+1 {
		c = append(c, 0)
	}
	return c[:length+1]
}

// roots of a monic f that is a product of different linear factors. Half of all numbers
// are squares, so for a shift a, (z+a)^((p-1)/2) - 1 shares about half of them with f;
// shifts are tried in order, so that the answer is always the same.
func roots(f []uint64, shift uint64) []uint64 {
	switch len(f) {
	case 0, 1:
		return nil
	case 2:
		return []uint64{minus(0, f[0])}
	}
	for ; ; shift++ {
		g := polyPow([]uint64{shift, 1}, (prime-1)/2, f)
		if len(g) == 0 {
			g = []uint64{0}
		}
		g[0] = minus(g[0], 1)
		if h := gcd(f, g); len(h) > 1 && len(h) < len(f) {
			return append(roots(h, shift+1), roots(quotient(f, h), shift+1)...)
		}
	}
}

// quotient of f by a monic h that divides it.
func quotient(f, h []uint64) []uint64 {
	q := make([]uint64, len(f)-len(h)+1)
	a := append([]uint64(nil), f...)
	for i := len(q) - 1; i >= 0; i-- {
		q[i] = a[i+len(h)-1]
		for j := range h {
			a[i+j] = minus(a[i+j], times(q[i], h[j]))
		}
	}
	return q
}

func gcd(a, b []uint64) []uint64 {
	a, b = append([]uint64(nil), a...), append([]uint64(nil), b...)
	for b = trim(b); len(b) > 0; b = trim(b) {
		b = monic(b)
		a, b = b, modulo(a, b)
	}
	return monic(trim(a))
}

func monic(a []uint64) []uint64 {
	k := inverse(a[len(a)-1])
	r := make([]uint64, len(a))
	for i := range a {
		r[i] = times(a[i], k)
	}
	return r
}

func polyPow(base []uint64, e uint64, f []uint64) []uint64 {
	r := []uint64{1}
	for i := 63 - bits.LeadingZeros64(e); i >= 0; i-- {
		r = polyTimes(r, r, f)
		if e>>i&1 == 1 {
			r = polyTimes(r, base, f)
		}
	}
	return r
}

func polyTimes(a, b, f []uint64) []uint64 {
	if len(a) == 0 || len(b) == 0 {
		return nil
	}
	r := make([]uint64, len(a)+len(b)-1)
	for i, x := range a {
		for j, y := range b {
			r[i+j] = plus(r[i+j], times(x, y))
		}
	}
	return modulo(r, f)
}

// modulo reduces a, in place, by a monic f.
func modulo(a, f []uint64) []uint64 {
	degree := len(f) - 1
	for i := len(a) - 1; i >= degree; i-- {
		k := a[i]
		if k == 0 {
			continue
		}
		for j := range f {
			a[i-degree+j] = minus(a[i-degree+j], times(k, f[j]))
		}
	}
	return trim(a[:min(len(a), degree)])
}

func trim(a []uint64) []uint64 {
	for len(a) > 0 && a[len(a)-1] == 0 {
		a = a[:len(a)-1]
	}
	return a
}

// Arithmetic modulo the prime, of numbers below it.

func plus(a, b uint64) uint64 { return reduce(a + b) }

func minus(a, b uint64) uint64 {
	if a >= b {
		return a - b
	}
	return a + prime - b
}

func times(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return reduce(lo&prime + (hi<<3 | lo>>61))
}

func inverse(a uint64) uint64 { // Fermat
	r := uint64(1)
	for e := uint64(prime - 2); e > 0; e >>= 1 {
		if e&1 == 1 {
			r = times(r, a)
		}
		a = times(a, a)
	}
	return r
}

func reduce(x uint64) uint64 {
	x = x&prime + x>>61
	if x >= prime {
		x -= prime
	}
	return x
}
