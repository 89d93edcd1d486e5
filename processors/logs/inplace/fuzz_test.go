package inplace

import (
	"testing"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

// Whatever a broker sends: no panic, positions that only rise, records inside
// them, and a sink that is not called after it paused.
func FuzzWalk(f *testing.F) {
	for seed := range uint64(20) {
		s := tell(seeded(f, seed), 6)
		f.Add(s.bytes(), s.recipes[0].base, false, uint8(seed))
		f.Add(s.bytes(), s.recipes[0].base, true, uint8(0))
	}
	f.Fuzz(func(t *testing.T, b []byte, from int64, reseal bool, pause uint8) {
		if reseal { // else nearly nothing gets past the checksum
			for rest := b; ; {
				h, err := parseHead(rest)
				if err != nil {
					break
				}
				seal(rest[:h.size])
				rest = rest[h.size:]
			}
		}
		w := walker{inflater: inflater{limit: 1 << 20}}
		s := &strict{t: t, next: from, pause: int(pause)}
		to, more, err := w.walk(&portion{batches: b}, place{from, -1}, s)
		switch {
		case to.next != s.next:
			t.Errorf("came to %d, said %d", to.next, s.next)
		case more == s.paused:
			t.Errorf("more %t, paused %t", more, s.paused)
		case err == nil && more && to != endOf(b, place{from, -1}):
			t.Errorf("came to %v, the heads end at %v", to, endOf(b, place{from, -1}))
		}
	})
}

type strict struct {
	t      *testing.T
	next   int64
	calls  int
	pause  int
	paused bool
}

func (s *strict) Batch(b *logs.Batch) bool {
	if s.paused || b.Next < s.next {
		s.t.Fatalf("paused %t, next %d after %d", s.paused, b.Next, s.next)
	}
	last := s.next - 1
	for _, r := range b.Records {
		if r.Offset <= last || r.Offset >= b.Next {
			s.t.Fatalf("offset %d after %d in a batch that ends at %d", r.Offset, last, b.Next)
		}
		last = r.Offset
		for range r.Headers.All() {
		}
	}
	s.next = b.Next
	s.calls++
	s.paused = s.calls == s.pause
	return !s.paused
}

func (s *strict) Lost(error) {}
