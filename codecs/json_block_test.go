package codecs

import (
	"math/rand/v2"
	"testing"
)

func TestBlocksAreFoundTheSameByAllMeans(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 20000 {
		var p block
		for i := range p {
			p[i] = "\"\\{}[]a_Yy\x7f\x80\xa2\xfb"[rnd.IntN(14)]
			if rnd.IntN(3) == 0 {
				p[i] = byte(rnd.Uint32())
			}
		}
		var quotes, brackets, backslashes, letters uint64
		letter := byte(rnd.Uint32()) | 0x20
		for i, c := range p {
			if c|0x20 == letter {
				letters |= 1 << i
			}
			switch c {
			case '"':
				quotes |= 1 << i
			case '\\':
				backslashes |= 1 << i
			case '{', '}', '[', ']', '_', 'Y', 'y', 0x7f:
				brackets |= 1 << i
			}
		}
		for name, f := range map[string]func(*block, word8) (uint64, uint64, uint64, uint64){"words": findByWords, "find": find} {
			if q, k, s, l := f(&p, ones*word8(letter)); q != quotes || k != brackets || s != backslashes || l != letters {
				t.Fatalf("%s of %q: %x %x %x %x, want %x %x %x %x", name, p, q, k, s, l, quotes, brackets, backslashes, letters)
			}
		}
	}
}

func BenchmarkBlock(b *testing.B) {
	var p block
	copy(p[:], `{"event":"order_placed","id":"4f9a3c1e-77d2-4c0b-9c1f-0f5b7a3d2e11","version":3,`)
	for name, f := range map[string]func(*block, word8) (uint64, uint64, uint64, uint64){"words": findByWords, "find": find} {
		b.Run(name, func(b *testing.B) {
			var sum uint64
			for b.Loop() {
				q, k, _, _ := f(&p, 't'*ones)
				sum += q + k
			}
			_ = sum
		})
	}
}
