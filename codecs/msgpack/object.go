package msgpack

import (
	"encoding/binary"
	"math"
)

// An object is one as it lies there; of a map or an array only its head.
type object struct {
	kind kind
	n    uint64 // a number, as kind has it; the count of pairs or elements; the type of an extension
	body []byte // of text, binary and extension
}

type kind uint8

const (
	null kind = iota
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
	no    bool
}{
	0x00: {kind: null}, 0x01: {no: true}, 0x02: {kind: boolean}, 0x03: {kind: boolean},
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
// begins with what is in it. Package msgp of tinylib has the like, but its Skip
// recurses 100,000 deep, and its errors allocate.
func cut(b []byte) (o object, rest []byte, ok bool) {
	if len(b) == 0 {
		return o, nil, false
	}
	first := b[0]
	b = b[1:]
	switch {
	case first < 0x80:
		return object{kind: unsigned, n: uint64(first)}, b, true
	case first < 0x90:
		return object{kind: mapping, n: uint64(first & 0x0f)}, b, true
	case first < 0xa0:
		return object{kind: array, n: uint64(first & 0x0f)}, b, true
	case first < 0xc0:
		return body(object{kind: text}, b, uint64(first&0x1f))
	case first >= 0xe0:
		return object{kind: signed, n: uint64(int8(first))}, b, true
	}
	f := &formats[first-0xc0]
	if f.no || len(b) < f.width {
		return o, nil, false
	}
	o.kind = f.kind
	switch f.width {
	case 1:
		o.n = uint64(b[0])
	case 2:
		o.n = uint64(binary.BigEndian.Uint16(b))
	case 4:
		o.n = uint64(binary.BigEndian.Uint32(b))
	case 8:
		o.n = binary.BigEndian.Uint64(b)
	}
	b = b[f.width:]
	switch o.kind {
	case signed:
		unused := 64 - 8*f.width
		o.n = uint64(int64(o.n<<unused) >> unused)
	case float:
		if f.width == 4 {
			o.n = math.Float64bits(float64(math.Float32frombits(uint32(o.n))))
		}
	case text, binaries:
		return body(o, b, o.n)
	case extension:
		if len(b) == 0 {
			return o, nil, false
		}
		length := o.n + uint64(f.fixed)
		o.n = uint64(b[0])
		return body(o, b[1:], length)
	}
	return o, b, true
}

// body cuts off what has a length.
func body(o object, b []byte, length uint64) (object, []byte, bool) {
	if length > uint64(len(b)) {
		return o, nil, false
	}
	o.body = b[:length]
	return o, b[length:], true
}

// skip cuts an object off with all that is in it. It does not recurse, but counts
// what is to come; since each takes a byte, a count that lies is found out at once.
func skip(b []byte) (rest []byte, ok bool) {
	for todo := uint64(1); todo > 0; todo-- {
		var o object
		if o, b, ok = cut(b); !ok {
			return nil, false
		}
		switch o.kind {
		case array:
			todo += o.n
		case mapping:
			todo += 2 * o.n
		}
		if todo-1 > uint64(len(b)) {
			return nil, false
		}
	}
	return b, true
}
