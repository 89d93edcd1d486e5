package codecs

import "math/bits"

// A block is 64 bytes of a document, looked at together: bit n of a mask is about byte
// n. To find the quotes and brackets of a block costs the same whatever is in it,
// while a loop over bytes stumbles at each of them. The way to do it with masks is that
// of Langdale and Lemire, "Parsing Gigabytes of JSON per Second" (2019).
type block [64]byte

const blockSize = 64

// findByWords finds quotes, brackets of all four kinds, backslashes, and a letter in
// either case, which is given eight times in small; find is the same for the processor
// at hand. Brackets become 0x7f if the bits are set in which they differ, and so do a
// few letters that no document has outside of strings: Y, y, _ and 0x7f. A letter may
// be taken for another one. Who walks through what is found looks at it.
func findByWords(b *block, letter word8) (quotes, brackets, backslashes, letters uint64) {
	for i := 0; i < blockSize; i += 8 {
		x := word(b[:], i)
		quotes |= (x ^ '"'*ones).zeroBytes().mask() << i
		brackets |= ((x | 0x26*ones) ^ 0x7f*ones).zeroBytes().mask() << i
		backslashes |= (x ^ '\\'*ones).zeroBytes().mask() << i
		letters |= ((x | 0x20*ones) ^ letter).zeroBytes().mask() << i
	}
	return quotes, brackets, backslashes, letters
}

// within is what one block hands on to the next.
type within struct {
	escape uint64 // 1 if the first byte is escaped
	str    uint64 // all ones if a string goes on
}

// escaped are the bytes behind an odd number of backslashes in a row. To runs that
// begin at an odd position their own length is added: the carry ends behind them, and
// whether that is at an odd or an even position says if the byte there is escaped.
func (w *within) escaped(backslashes uint64) uint64 {
	const even = 0x5555555555555555
	backslashes &^= w.escape
	behind := backslashes<<1 | w.escape
	ends, carry := bits.Add64(backslashes&^even&^behind, backslashes, 0)
	w.escape = carry
	return (even ^ ends<<1) & behind
}

// strings are the bytes inside of strings, with the opening quotes and without the
// closing ones: each quote turns what follows over.
func (w *within) strings(quotes uint64) uint64 {
	x := quotes
	x ^= x << 1
	x ^= x << 2
	x ^= x << 4
	x ^= x << 8
	x ^= x << 16
	x ^= x << 32
	x ^= w.str
	w.str = uint64(int64(x) >> 63)
	return x
}
