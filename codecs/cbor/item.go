package cbor

import (
	"encoding/binary"
	"math"
)

// A kind is the major type of an item, and float those of type 7 that are one.
type kind uint8

const (
	unsigned kind = iota
	negative      // -1 - n
	binaries
	text
	array
	mapping
	tag
	simple
	float // 64 bits
	broken
)

const (
	indefinite = math.MaxUint64 // a length that is not given, but ended by breakByte
	breakByte  = 0xff
	null       = 22 // a simple value
	undefined  = 23
)

// cut cuts the head of an item off. n is a number, a length or count, a tag or a simple
// value. Where no length is given it is indefinite; a count of so many is broken,
// since each takes a byte.
func cut(b []byte) (k kind, n uint64, rest []byte) {
	if len(b) == 0 {
		return broken, 0, nil
	}
	k, n, b = kind(b[0]>>5), uint64(b[0]&31), b[1:]
	if n < 24 {
		return k, n, b
	}
	if n == 31 && k >= binaries && k <= mapping {
		return k, indefinite, b
	}
	width := 1 << (n - 24)
	if n > 27 || len(b) < width {
		return broken, 0, nil
	}
	switch width {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b))
	case 4:
		n = uint64(binary.BigEndian.Uint32(b))
	case 8:
		n = binary.BigEndian.Uint64(b)
	}
	b = b[width:]
	switch k {
	case binaries, text, array, mapping:
		if n > uint64(len(b)) {
			return broken, 0, nil
		}
	case simple:
		switch width {
		case 1:
			if n < 32 { // has a shorter form, the only one
				return broken, 0, nil
			}
			return simple, n, b
		case 2:
			return float, math.Float64bits(half(uint16(n))), b
		case 4:
			return float, math.Float64bits(float64(math.Float32frombits(uint32(n)))), b
		}
		return float, n, b
	}
	return k, n, b
}

// half is a float of 16 bits: a sign, 5 bits of exponent, 10 of mantissa.
func half(x uint16) float64 {
	e, m := int(x>>10&31), float64(x&1023)
	switch e {
	case 0:
		m = math.Ldexp(m, -24)
	case 31:
		return math.NaN() // or infinite: no time either
	default:
		m = math.Ldexp(m+1024, e-25)
	}
	if x>>15 != 0 {
		return -m
	}
	return m
}

// maxText is one byte more than the longest name, and the longest text, that matter.
const maxText = 64

// cutText cuts a text off. One in chunks is put together in buf; of a longer one only
// the beginning, which is too long for anything as well.
func cutText(b []byte, buf *[maxText]byte) (s, rest []byte, ok bool) {
	k, n, b := cut(b)
	if k != text {
		return nil, nil, false
	}
	if n != indefinite {
		return split(b, n)
	}
	length := 0
	for len(b) > 0 && b[0] != breakByte {
		var chunk []byte
		k, n, rest := cut(b)
		if k != text || n == indefinite {
			return nil, nil, false
		}
		if chunk, b, ok = split(rest, n); !ok {
			return nil, nil, false
		}
		length += copy(buf[length:], chunk)
	}
	if len(b) == 0 {
		return nil, nil, false
	}
	return buf[:length], b[1:], true
}

func split(b []byte, n uint64) (head, rest []byte, ok bool) {
	if n > uint64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// skip cuts an item off with all that is in it.
func skip(b []byte) (rest []byte, ok bool) {
	switch k, n, rest := cut(b); {
	case k == broken:
		return nil, false
	case k == unsigned || k == negative || k >= simple:
		return rest, true
	case k <= text && n != indefinite:
		_, rest, ok = split(rest, n)
		return rest, ok
	}
	return skipNested(b)
}

// maxOpen is how deep items of indefinite length may nest.
const maxOpen = 32

// skipNested does not recurse: of what has a count it adds that to what is to come, and
// only what has none is remembered, with how much of what encloses it was to come.
func skipNested(b []byte) (rest []byte, ok bool) {
	var open [maxOpen]struct {
		todo uint64
		kind kind
		odd  bool // a key is there without its value
	}
	depth := 0
	for todo := uint64(1); ; {
		if depth > 0 && todo == 0 {
			in := &open[depth-1]
			if len(b) > 0 && b[0] == breakByte && !in.odd {
				todo, b = in.todo, b[1:]
				depth--
				continue
			}
			in.odd = in.kind == mapping && !in.odd
			todo = 1
			if k, n, _ := cut(b); in.kind <= text && (k != in.kind || n == indefinite) {
				return nil, false // chunks are of the kind of the whole
			}
		}
		if todo == 0 {
			return b, true
		}
		k, n, rest := cut(b)
		b = rest
		todo--
		switch {
		case k == broken:
			return nil, false
		case k >= binaries && k <= mapping && n == indefinite:
			if depth == maxOpen {
				return nil, false
			}
			open[depth].todo, open[depth].kind, open[depth].odd = todo, k, false
			depth++
			todo = 0
		case k == binaries || k == text:
			if _, b, ok = split(b, n); !ok {
				return nil, false
			}
		case k == array:
			todo += n
		case k == mapping:
			todo += 2 * n
		case k == tag:
			todo++
		}
		if todo > uint64(len(b)) {
			return nil, false
		}
	}
}
