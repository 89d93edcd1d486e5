package audit

import (
	"encoding/binary"
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
	hash, _ := Hashes(key, value)
	return hash
}

// Moment is a hash of when a message with a key was: the Hash of a message with that
// key whose value is its event time, Unix milliseconds, as 8 bytes, little-endian.
// Whatever becomes of the payload, the moment stays: so an altered message can be
// told from one lost and another delivered twice. Where the time does not decide the
// window, because there is none that can be believed, it is taken as 0: what stands
// in for it differs between tiers.
func Moment(key []byte, ms int64) uint64 { return keyHash(key, hashSeed).Moment(ms) }

// A KeyHash is what Hash and Moment of a message have in common.
type KeyHash uint64

// Hashes is Hash together with what Moment needs: both for little more than one.
func Hashes(key, value []byte) (hash uint64, k KeyHash) {
	k = keyHash(key, hashSeed)
	seed := k
	if value == nil {
		seed = keyHash(key, hashSeed^2)
	}
	return xxh3.HashSeed(value, uint64(seed)), k
}

// Moment is the function of the same name, of the key that was hashed.
func (k KeyHash) Moment(ms int64) uint64 {
	var value [8]byte
	binary.LittleEndian.PutUint64(value[:], uint64(ms))
	return xxh3.HashSeed(value[:], uint64(k))
}

func keyHash(key []byte, seed uint64) KeyHash {
	if key == nil {
		seed ^= 1
	}
	return KeyHash(xxh3.HashSeed(key, seed))
}

// prime is the Mersenne prime 2^61-1, the modulus of the power sums.
const prime = 1<<61 - 1

// PowerSums are S1..S7 mod 2^61-1 of message ids, an id being a message's hash
// mod 2^61-1 (1 where that is 0). With the count as S0, the difference of two
// of them names up to four messages that one has and the other has not: PinSketch's
// idea with signed weights, so that lost and extra are told apart.
type PowerSums [7]uint64

// Add adds the message with the given hash. The powers are computed along a
// short chain of multiplications, and folded no further than what comes next needs:
// up to 2^62 may be squared, up to 2^63 multiplied by what is below 2^62, and added
// to a sum.
func (s *PowerSums) Add(hash uint64) {
	x := reduce(hash)
	if x == 0 {
		x = 1
	}
	x2 := mul(x, x)
	x3 := mul(x2, x)
	x4 := fold(mul(x2, x2))
	s[0] = reduce(s[0] + x)
	s[1] = reduce(s[1] + x2)
	s[2] = reduce(s[2] + x3)
	s[3] = reduce(s[3] + x4)
	s[4] = reduce(s[4] + mul(x4, x))
	s[5] = reduce(s[5] + mul(x4, x2))
	s[6] = reduce(s[6] + mul(x4, x3))
}

// Merge adds other power sums.
func (s *PowerSums) Merge(o *PowerSums) {
	for i := range s {
		s[i] = reduce(s[i] + reduce(o[i]))
	}
}

func reduce(x uint64) uint64 {
	x = fold(x)
	if x >= prime {
		x -= prime
	}
	return x
}

// fold is x mod prime, or that and prime: below 2^61+7.
func fold(x uint64) uint64 { return x&prime + x>>61 }

// mul is a*b mod prime, and some multiple of prime: below 2^61 + a*b/2^61.
func mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return lo&prime + (hi<<3 | lo>>61)
}
