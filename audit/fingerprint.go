package audit

import (
	"math/bits"

	"github.com/zeebo/xxh3"
)

// FingerprintMode names how messages are hashed. Tallies of unlike modes must
// not be compared. (xxh3, seed-chained, over key and value; ids of 61 bits;
// seven power sums.)
const FingerprintMode = "xxh3-kv-1"

// hashSeed keeps our hashes apart from other uses of xxh3: "chaperon" in ASCII.
const hashSeed = 0x6368617065726f6e

// Hash is XXH3_64(value, seed = XXH3_64(key, seed = hashSeed ^ nulls)). Null
// and empty differ, and so do ("ab","c") and ("a","bc"). It guards against
// faults, not against somebody who forges messages: sums of it can be forged.
func Hash(key, value []byte) uint64 {
	seed := uint64(hashSeed)
	if key == nil {
		seed ^= 1
	}
	if value == nil {
		seed ^= 2
	}
	return xxh3.HashSeed(value, xxh3.HashSeed(key, seed))
}

// prime is the Mersenne prime 2^61-1, the modulus of the power sums.
const prime = 1<<61 - 1

// PowerSums are S1..S7 mod 2^61-1 of message ids, an id being a message's hash
// mod 2^61-1 (1 where that is 0). With the count as S0, the difference of two
// of them names up to four messages that one has and the other has not: PinSketch's
// idea with signed weights, so that lost and extra are told apart.
type PowerSums [7]uint64

// Add adds the message with the given hash. The powers are computed along a
// short chain of multiplications.
func (s *PowerSums) Add(hash uint64) {
	x := reduce(hash)
	if x == 0 {
		x = 1
	}
	x2 := mulLazy(x, x)
	x3 := mulLazy(x2, x)
	x4 := mulLazy(x2, x2)
	s[0] = reduce(s[0] + x)
	s[1] = reduce(s[1] + x2)
	s[2] = reduce(s[2] + x3)
	s[3] = reduce(s[3] + x4)
	s[4] = reduce(s[4] + mulLazy(x4, x))
	s[5] = reduce(s[5] + mulLazy(x3, x3))
	s[6] = reduce(s[6] + mulLazy(x4, x3))
}

// Merge adds other power sums.
func (s *PowerSums) Merge(o *PowerSums) {
	for i := range s {
		s[i] = reduce(s[i] + reduce(o[i]))
	}
}

func reduce(x uint64) uint64 {
	x = x&prime + x>>61
	if x >= prime {
		x -= prime
	}
	return x
}

// mulLazy multiplies mod prime; the result may exceed prime by a little, which
// is good enough for a factor and for reduce.
func mulLazy(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	x := lo&prime + (hi<<3 | lo>>61)
	return x&prime + x>>61
}
