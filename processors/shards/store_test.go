package shards

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestStoreIsAnOrderedMap(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	s, want := NewStore(), map[string]string{}
	for range 5000 {
		key := fmt.Sprintf("k%03d", rng.IntN(300))
		if rng.IntN(3) == 0 {
			delete(want, key)
			_ = s.Delete(key)
			continue
		}
		value := fmt.Sprint(rng.IntN(1e6))
		want[key] = value
		buf := []byte(value)
		_ = s.Set(key, buf)
		clear(buf) // the store keeps a copy
	}
	bytes := 0
	var keys []string
	for k, v := range s.All() {
		keys = append(keys, k)
		bytes += len(k) + len(v)
		if want[k] != string(v) {
			t.Errorf("%s: %q, want %q", k, v, want[k])
		}
	}
	if sorted := slices.Sorted(maps.Keys(want)); !slices.Equal(keys, sorted) {
		t.Errorf("keys %v, want %v", keys, sorted)
	}
	if s.Len() != len(want) || s.Bytes() != bytes {
		t.Errorf("Len %d Bytes %d, want %d %d", s.Len(), s.Bytes(), len(want), bytes)
	}
}

func TestStoreRanges(t *testing.T) {
	s := NewStore()
	for _, k := range []string{"a", "b", "c", "d"} {
		_ = s.Set(k, []byte(k))
	}
	for _, c := range []struct{ start, limit, want string }{{"", "", "abcd"}, {"b", "d", "bc"}, {"bb", "", "cd"}, {"e", "", ""}, {"a", "a", ""}} {
		got := ""
		for k := range s.Range(c.start, c.limit) {
			got += k
		}
		it, _ := s.IteratorWithRange([]byte(c.start), []byte(c.limit))
		goka := ""
		for it.Next() {
			goka += string(it.Key())
		}
		if got != c.want || goka != c.want {
			t.Errorf("[%q,%q): %q and %q, want %q", c.start, c.limit, got, goka, c.want)
		}
	}
}

func TestStoreIteratesOverASnapshot(t *testing.T) {
	s := NewStore()
	_ = s.Set("a", []byte("1"))
	it, _ := s.Iterator()
	_ = s.Set("b", []byte("2"))
	n := 0
	for it.Next() {
		n++
	}
	if n != 1 {
		t.Errorf("%d keys, want the one that was there", n)
	}
}

func TestMarksAreCounted(t *testing.T) {
	var m marks
	done, err := m.expect(2)
	if err != nil || m.inFlight() != 2 {
		t.Fatalf("%d in flight, %v", m.inFlight(), err)
	}
	m.mark()
	select {
	case <-done:
		t.Error("done after one of two")
	default:
	}
	m.mark()
	<-done
	if m.inFlight() != 0 {
		t.Errorf("%d in flight after all were marked", m.inFlight())
	}
	m.mark() // one of them a second time
	if _, err := m.expect(3); err == nil {
		t.Error("a mark too many would pass for one of the next")
	}
}

func TestStoreThatIsReleasedHoldsNothing(t *testing.T) {
	s := NewStore()
	_ = s.Set("a", []byte("1"))
	_ = s.SetOffset(7)
	s.Release()
	_ = s.Set("b", []byte("2"))
	_ = s.Delete("a")
	if at, _ := s.GetOffset(-1); s.Len() != 0 || s.Bytes() != 0 || at != 7 {
		t.Errorf("%d entries, %d bytes, offset %d", s.Len(), s.Bytes(), at)
	}
}
