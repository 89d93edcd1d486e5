package avro

import (
	"encoding/binary"
	"math/bits"
)

// The functions of this file read at b[i], where i is not negative, and give the
// index behind what they read: -1 if it is not whole, or not valid.
//
// A number is written in groups of 7 bits, the least significant first, with a bit
// that says that another one follows; its sign is the least significant bit.

// long reads a number of 64 bits.
func long(b []byte, i int) (v int64, end int) {
	if i < len(b) && b[i] < 0x80 {
		u := uint64(b[i])
		return int64(u>>1) ^ -int64(u&1), i + 1
	}
	return longerLong(b, i)
}

// longerLong is long where that is not one byte.
func longerLong(b []byte, i int) (v int64, end int) {
	if len(b)-i >= 8 {
		// All times but those in nanoseconds have at most 8 bytes: a word, of which
		// the groups are pushed together, by two, by four and by eight.
		w := binary.LittleEndian.Uint64(b[i:])
		if last := ^w & 0x8080808080808080; last != 0 {
			n := bits.TrailingZeros64(last) + 1
			w &= ^uint64(0) >> (64 - n) & 0x7f7f7f7f7f7f7f7f
			w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
			w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
			w = w&0x000000000fffffff | w&0x0fffffff00000000>>4
			return int64(w>>1) ^ -int64(w&1), i + n/8
		}
	}
	var u uint64
	for shift := 0; i < len(b); shift += 7 {
		c := b[i]
		i++
		if shift == 63 && c > 1 {
			break
		}
		u |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i
		}
	}
	return 0, -1
}

// longEnd skips a number of 64 bits.
func longEnd(b []byte, i int) int {
	if i < len(b) && b[i] < 0x80 {
		return i + 1
	}
	_, i = longerLong(b, i)
	return i
}

// integer reads a number of 32 bits.
func integer(b []byte, i int) (v int64, end int) {
	v, end = long(b, i)
	if v != int64(int32(v)) || end-i > 5 {
		return 0, -1
	}
	return v, end
}

// intEnd skips a number of 32 bits.
func intEnd(b []byte, i int) int {
	if i < len(b) && b[i] < 0x80 {
		return i + 1
	}
	_, i = integer(b, i)
	return i
}

// index reads a number that is at least 0 and below n.
func index(b []byte, i, n int) (k, end int) {
	v, end := integer(b, i)
	if v < 0 || v >= int64(n) {
		return 0, -1
	}
	return int(v), end
}

// text reads a length, and so many bytes.
func text(b []byte, i int) (s []byte, end int) {
	n, i := long(b, i)
	if i < 0 || n < 0 || n > int64(len(b)-i) {
		return nil, -1
	}
	end = i + int(n)
	return b[i:end], end
}
