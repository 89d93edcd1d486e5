package codecs

import (
	"math"
	"math/bits"
)

// A unit is what a number counts since the epoch.
type unit uint8

const (
	anyUnit unit = iota // told by the magnitude
	seconds
	milliseconds
	microseconds
	nanoseconds
)

var units = map[string]unit{"": anyUnit, "s": seconds, "ms": milliseconds, "us": microseconds, "ns": nanoseconds}

// shift is the power of ten that turns a unit into milliseconds.
var shift = [...]int64{seconds: 3, milliseconds: 0, microseconds: -3, nanoseconds: -6}

// The largest magnitudes that anyUnit takes for a unit. What is above them is
// September 2001 or later in the next one.
const (
	maxSeconds      = 999_999_999_999
	maxMilliseconds = maxSeconds*1000 + 999
	maxMicroseconds = maxMilliseconds*1000 + 999
)

// A decimal is ±mant·10^exp, and a little more in magnitude if rest: digits
// beyond the 19th are dropped. Those that rest stands for lie below a
// millisecond in any unit, or the number is too large to be a time.
type decimal struct {
	mant uint64
	exp  int64
	neg  bool
	rest bool
}

// scanDecimal reads the JSON number at the start of b and gives its length,
// 0 if there is none.
func scanDecimal(b []byte) (d decimal, n int) {
	// Nearly always it is a Unix time, an integer of 10 or 13 digits. The second
	// word does not wait for what is found in the first.
	if len(b) >= 16 {
		if x, y := word(b, 0), word(b, 8); x.digits() == 8 {
			if k := y.digits(); k < 8 && b[0] != '0' && b[8+k] != '.' && b[8+k]|0x20 != 'e' {
				return decimal{mant: x.number(8)*pow10[k] + y.number(k)}, 8 + k
			}
		}
	}
	// Or another integer that fits.
	for n <= 8 && len(b)-n >= 8 {
		x := word(b, n)
		k := x.digits()
		d.mant = d.mant*pow10[k] + x.number(k)
		if n += k; k < 8 {
			break
		}
	}
	for n < len(b) && n < 19 && b[n]-'0' <= 9 {
		d.mant = d.mant*10 + uint64(b[n]-'0')
		n++
	}
	if n > 0 && (n == len(b) || b[n]|0x20 != 'e' && b[n] != '.' && b[n]-'0' > 9) && (b[0] != '0' || n == 1) {
		return d, n
	}

	n = numberEnd(b, 0)
	if n < 0 {
		return decimal{}, 0
	}
	d = decimal{}
	var fraction int64 // 1 behind the point
	i := 0
	for ; i < n; i++ {
		switch c := b[i]; {
		case c == '-':
			d.neg = true
		case c == '.':
			fraction = 1
		case c|0x20 == 'e':
			d.exp += exponent(b[i+1 : n])
			return d, n
		case d.mant < 1e18:
			d.mant = d.mant*10 + uint64(c-'0')
			d.exp -= fraction
		default:
			d.rest = d.rest || c != '0'
			d.exp += 1 - fraction
		}
	}
	return d, n
}

// exponent reads what follows the e, and stops caring where it outweighs the
// digits of any message.
func exponent(b []byte) (e int64) {
	neg := b[0] == '-'
	if neg || b[0] == '+' {
		b = b[1:]
	}
	for _, c := range b {
		e = min(e*10+int64(c-'0'), 1<<40)
	}
	if neg {
		return -e
	}
	return e
}

// time is the decimal as Unix milliseconds; what is less than one is cut off
// towards the past, so that no instant moves into the next window.
func (d decimal) time(u unit) (ms int64, ok bool) {
	if u == anyUnit {
		if d.exp == 0 && !d.neg && !d.rest && d.mant <= maxMilliseconds { // nearly always
			if d.mant <= maxSeconds {
				d.mant *= 1000
			}
			return int64(d.mant), true
		}
		u = d.unit()
	}
	whole, rest, ok := d.times10(shift[u])
	if d.neg {
		if rest {
			whole++
		}
		return -int64(whole), ok && whole <= -math.MinInt64
	}
	return int64(whole), ok && whole <= math.MaxInt64
}

// unit is told by the magnitude.
func (d decimal) unit() unit {
	whole, rest, ok := d.times10(0)
	upTo := func(most uint64) bool { return ok && (whole < most || whole == most && !rest) }
	switch {
	case upTo(maxSeconds):
		return seconds
	case upTo(maxMilliseconds):
		return milliseconds
	case upTo(maxMicroseconds):
		return microseconds
	}
	return nanoseconds
}

// times10 is the magnitude of d·10^by, and whether there is a fraction too; not
// ok if it does not fit.
func (d decimal) times10(by int64) (whole uint64, rest, ok bool) {
	e := d.exp + by
	switch {
	case d.mant == 0:
		return 0, false, true
	case e > 19:
		return 0, false, false
	case e >= 0:
		hi, lo := bits.Mul64(d.mant, pow10[e])
		return lo, d.rest, hi == 0
	case e < -19:
		return 0, true, true
	}
	p := pow10[-e]
	return d.mant / p, d.rest || d.mant%p != 0, true
}

var pow10 = func() (t [20]uint64) {
	t[0] = 1
	for i := 1; i < len(t); i++ {
		t[i] = t[i-1] * 10
	}
	return t
}()
