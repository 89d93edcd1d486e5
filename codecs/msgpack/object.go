package msgpack

import (
	"encoding/binary"
	"math"
)

type kind uint8

const (
	broken kind = iota
	null
	boolean
	signed
	unsigned
	float // 64 bits
	text
	binaries
	array
	mapping
	extension
)

// formats are those of the first byte from 0xc0 to 0xdf. Behind it are width bytes of
// a number or a length, for an extension its type, and what has that length.
var formats = [32]struct {
	kind  kind
	width int
	fixed int // length of an extension that has none written
}{
	0x00: {kind: null}, 0x02: {kind: boolean}, 0x03: {kind: boolean},
	0x04: {kind: binaries, width: 1}, 0x05: {kind: binaries, width: 2}, 0x06: {kind: binaries, width: 4},
	0x07: {kind: extension, width: 1}, 0x08: {kind: extension, width: 2}, 0x09: {kind: extension, width: 4},
	0x0a: {kind: float, width: 4}, 0x0b: {kind: float, width: 8},
	0x0c: {kind: unsigned, width: 1}, 0x0d: {kind: unsigned, width: 2}, 0x0e: {kind: unsigned, width: 4}, 0x0f: {kind: unsigned, width: 8},
	0x10: {kind: signed, width: 1}, 0x11: {kind: signed, width: 2}, 0x12: {kind: signed, width: 4}, 0x13: {kind: signed, width: 8},
	0x14: {kind: extension, fixed: 1}, 0x15: {kind: extension, fixed: 2}, 0x16: {kind: extension, fixed: 4}, 0x17: {kind: extension, fixed: 8}, 0x18: {kind: extension, fixed: 16},
	0x19: {kind: text, width: 1}, 0x1a: {kind: text, width: 2}, 0x1b: {kind: text, width: 4},
	0x1c: {kind: array, width: 2}, 0x1d: {kind: array, width: 4},
	0x1e: {kind: mapping, width: 2}, 0x1f: {kind: mapping, width: 4},
}

// cut cuts the first object off; of a map or an array its head, so that the rest
// begins with what is in it. n is a number, as its kind has it, the count of pairs or
// elements, or the type of an extension; body is what has a length. Without words for
// these results the processor would wait for its own writes.
//
// Package msgp of tinylib has the like, but its Skip recurses 100,000 deep, and its
// errors allocate.
func cut(b []byte) (k kind, n uint64, body, rest []byte) {
	if len(b) == 0 {
		return broken, 0, nil, nil
	}
	first := b[0]
	b = b[1:]
	switch {
	case first < 0x80:
		return unsigned, uint64(first), nil, b
	case first < 0x90:
		return mapping, uint64(first & 0x0f), nil, b
	case first < 0xa0:
		return array, uint64(first & 0x0f), nil, b
	case first < 0xc0:
		return split(text, 0, b, uint64(first&0x1f))
	case first >= 0xe0:
		return signed, uint64(int8(first)), nil, b
	}
	f := &formats[first-0xc0]
	if len(b) < f.width {
		return broken, 0, nil, nil
	}
	switch f.width {
	case 1:
		n = uint64(b[0])
	case 2:
		n = uint64(binary.BigEndian.Uint16(b))
	case 4:
		n = uint64(binary.BigEndian.Uint32(b))
	case 8:
		n = binary.BigEndian.Uint64(b)
	}
	b = b[f.width:]
	switch f.kind {
	case signed:
		unused := 64 - 8*f.width
		n = uint64(int64(n<<unused) >> unused)
	case float:
		if f.width == 4 {
			n = math.Float64bits(float64(math.Float32frombits(uint32(n))))
		}
	case text, binaries:
		return split(f.kind, 0, b, n)
	case extension:
		if len(b) == 0 {
			return broken, 0, nil, nil
		}
		return split(extension, uint64(b[0]), b[1:], n+uint64(f.fixed))
	}
	return f.kind, n, nil, b
}

// split cuts off what has a length.
func split(k kind, n uint64, b []byte, length uint64) (kind, uint64, []byte, []byte) {
	if length > uint64(len(b)) {
		return broken, 0, nil, nil
	}
	return k, n, b[:length], b[length:]
}

// skip cuts an object off with all that is in it. It does not recurse, but counts
// what is to come; since each takes a byte, a count that lies is found out at once.
func skip(b []byte) (rest []byte, ok bool) {
	for todo := uint64(1); todo > 0; todo-- {
		k, n, _, rest := cut(b)
		switch k {
		case broken:
			return nil, false
		case array:
			todo += n
		case mapping:
			todo += 2 * n
		}
		b = rest
		if todo-1 > uint64(len(b)) {
			return nil, false
		}
	}
	return b, true
}
