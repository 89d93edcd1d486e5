package codecs

import (
	"encoding/binary"
	"math/bits"
)

// A word8 is 8 bytes looked at together, the first of them lowest.
type word8 uint64

const (
	ones  word8 = 0x0101010101010101
	highs word8 = 0x8080808080808080
)

func word(b []byte, i int) word8 { return word8(binary.LittleEndian.Uint64(b[i:])) }

// first is the index of the first byte that is not zero, 8 if all are.
func (x word8) first() int { return bits.TrailingZeros64(uint64(x)) / 8 }

// zeros marks the zero bytes by their high bits. Above the first of them it may
// mark others too, so only the first can be relied on.
func (x word8) zeros() word8 { return (x - ones) &^ x & highs }

// zeroBytes marks the zero bytes, and no others.
func (x word8) zeroBytes() word8 { return ^((x&^highs + ^highs) | x | ^highs) }

// mask gathers the high bits: bit n is that of byte n.
func (x word8) mask() uint64 { return uint64(x) >> 7 * 0x0102040810204080 >> 56 }

// quotes marks, like zeros, quotes and backslashes.
func (x word8) quotes() word8 { return (x ^ '"'*ones).zeros() | (x ^ '\\'*ones).zeros() }

// hasControl says whether there are bytes below 0x20 in b.
func hasControl(b []byte) bool {
	for ; len(b) >= 8; b = b[8:] {
		if x := word(b, 0); (x-' '*ones)&^x&highs != 0 {
			return true
		}
	}
	for _, c := range b {
		if c < ' ' {
			return true
		}
	}
	return false
}

// digits is the number of decimal digits that x begins with. What is no digit
// has something in its high half, or gets it by adding 6; a sum that carries out
// of its byte spoils only those behind one that is no digit.
func (x word8) digits() int {
	x ^= '0' * ones
	return ((x | (x + 6*ones)) & (0xf0 * ones)).first()
}

// number is the value of the first k digits. Shifted to the top, with zeros as
// the digits before them, they are added up pairwise: 8 of 1 digit, 4 of 2, 2
// of 4.
func (x word8) number(k int) uint64 {
	x = (x ^ '0'*ones) << uint(64-8*k)
	x = (x*10 + x>>8) & 0x00ff00ff00ff00ff
	x = (x*100 + x>>16) & 0x0000ffff0000ffff
	return uint64((x*10000 + x>>32) & 0xffffffff)
}

// digitsEnd is the position behind the digits that begin at b[i].
func digitsEnd(b []byte, i int) int {
	for len(b)-i >= 8 {
		k := word(b, i).digits()
		if i += k; k < 8 {
			return i
		}
	}
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	return i
}
