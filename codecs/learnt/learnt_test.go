package learnt_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/learnt"
)

// A registry has the schemas for which has is true, each with its number for a text.
// If answer is set, it waits to be told what to answer. It counts who asks.
type registry struct {
	has    func(id uint32) bool
	answer chan error
	asked  atomic.Int64
}

func (r *registry) Schema(ctx context.Context, id uint32) (codecs.Schema, error) {
	r.asked.Add(1)
	if r.answer != nil {
		select {
		case err := <-r.answer:
			if err != nil {
				return codecs.Schema{}, err
			}
		case <-ctx.Done():
			return codecs.Schema{}, ctx.Err()
		}
	}
	if !r.has(id) {
		return codecs.Schema{}, fmt.Errorf("404: %w", codecs.ErrNoSchema)
	}
	return codecs.Schema{Text: fmt.Sprint(id)}, nil
}

func all(uint32) bool  { return true }
func none(uint32) bool { return false }
func even(id uint32) bool {
	return id%2 == 0
}

// compile makes of a schema its number, again.
func compile(s codecs.Schema) *uint32 {
	n, err := strconv.ParseUint(s.Text, 10, 32)
	if err != nil {
		panic(err)
	}
	id := uint32(n)
	return &id
}

func mustLearn(t testing.TB, s *learnt.Schemas[uint32], id uint32) {
	t.Helper()
	if err := s.Learn(t.Context(), id, compile); err != nil {
		t.Error(err)
	}
}

// state is what is known of a schema.
func state(s *learnt.Schemas[uint32], id uint32) string {
	switch made := s.Get(id); {
	case made != nil:
		return fmt.Sprint(*made)
	case s.Missing(id):
		return "missing"
	}
	return "unknown"
}

func check(t testing.TB, s *learnt.Schemas[uint32], id uint32, want string) {
	t.Helper()
	if got := state(s, id); got != want {
		t.Errorf("schema %d is %s, want %s", id, got, want)
	}
}

func TestOneAsksForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &registry{has: all, answer: make(chan error, 1)}
		s := learnt.New[uint32]("test", from, "main", nil)
		check(t, s, 7, "unknown")
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { mustLearn(t, s, 7) })
		}
		synctest.Wait()
		impatient, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if err := s.Learn(impatient, 7, compile); !errors.Is(err, context.Canceled) {
				t.Errorf("who gives up waiting gets error %v", err)
			}
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		from.answer <- nil
		wg.Wait()
		mustLearn(t, s, 7)
		check(t, s, 7, "7")
		if n := from.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestWhoGivesUpDoesNotDiscourageOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &registry{has: all, answer: make(chan error, 1)}
		s := learnt.New[uint32]("test", from, "main", nil)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Learn(ctx, 7, compile); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v", err)
			}
		})
		synctest.Wait()
		for range 3 {
			wg.Go(func() { mustLearn(t, s, 7) })
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		from.answer <- nil
		wg.Wait()
		if n := from.asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestAFailureIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := &registry{has: all, answer: make(chan error, 1)}
		s := learnt.New[uint32]("test", from, "main", nil)
		fire := errors.New("on fire")
		from.answer <- fire
		if err := s.Learn(t.Context(), 7, compile); !errors.Is(err, fire) || err.Error() != "schema 7 of registry main: on fire" {
			t.Errorf("got error %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Learn(ctx, 7, compile); !errors.Is(err, context.DeadlineExceeded) || err.Error() != "schema 7 of registry main: context deadline exceeded" {
			t.Errorf("got error %v", err)
		}
		check(t, s, 7, "unknown")
		from.answer <- nil
		mustLearn(t, s, 7)
		check(t, s, 7, "7")
	})
}

func TestNoRegistryIsAskedForWhatIsNoNumber(t *testing.T) {
	from := &registry{has: func(uint32) bool { return true }}
	s := learnt.New[uint32]("test", from, "main", nil)
	if s.Missing(math.MaxInt32) || !s.Missing(math.MaxInt32+1) || !s.Missing(math.MaxUint32) {
		t.Error("2147483647 is the last number of a schema")
	}
}

// Schemas that exist and others, learnt by some while others read.
func TestManySchemasAreKeptApart(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var ids []uint32
	for rnd := rand.New(rand.NewPCG(seed, 0)); len(ids) < 2000; {
		ids = append(ids, uint32(len(ids)), rnd.Uint32()>>1, uint32(len(ids))<<24&math.MaxInt32)
	}
	from := &registry{has: even}
	s := learnt.New[uint32]("test", from, "main", nil)
	want := func(id uint32) string {
		if even(id) {
			return fmt.Sprint(id)
		}
		return "missing"
	}
	var wg sync.WaitGroup
	for w := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, w))
			for range 2 {
				for _, i := range rnd.Perm(len(ids)) {
					if got := state(s, ids[i]); got != "unknown" && got != want(ids[i]) {
						t.Errorf("schema %d is %s", ids[i], got)
					}
					mustLearn(t, s, ids[i])
					check(t, s, ids[i], want(ids[i]))
				}
			}
		})
	}
	wg.Wait()
}

func TestMissingSchemasAreRememberedUpToABound(t *testing.T) {
	const many = 100_000
	told := map[string]int{}
	from := &registry{has: none}
	s := learnt.New[uint32]("test", from, "main", &codecs.Env{Notice: func(text string) { told[text]++ }})
	for id := range uint32(many) {
		mustLearn(t, s, id)
		check(t, s, id, "missing")
	}
	known := 0
	for id := range uint32(many) {
		if s.Missing(id) {
			known++
		}
	}
	if known < 15_000 || known > 16_384 {
		t.Errorf("%d are remembered", known)
	}
	if n := told["test: schema 0 of registry main does not exist; messages that name it are malformed"]; n != 1 || len(told) != 100 {
		t.Errorf("told %d times, and %d in all", n, len(told))
	}
	check(t, s, 0, "unknown") // and is asked for again, but not told again
	mustLearn(t, s, 0)
	check(t, s, 0, "missing")
	if n := from.asked.Load(); n != many+1 || len(told) != 100 {
		t.Errorf("asked %d times, told %d", n, len(told))
	}
}

// Numbers that a producer wrote in the wrong order of bytes, and those that lie next
// to each other, are not forgotten for each other.
func TestAFewMissingSchemasAreNeverForgotten(t *testing.T) {
	from := &registry{has: none}
	s := learnt.New[uint32]("test", from, "main", nil)
	var ids []uint32
	for i := range uint32(255) {
		ids = append(ids, i, (i+1)<<24&math.MaxInt32, (i+1)<<16)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		mustLearn(t, s, id)
	}
	for _, id := range ids {
		check(t, s, id, "missing")
	}
	if n := int(from.asked.Load()); n != len(ids) {
		t.Errorf("asked %d times for %d", n, len(ids))
	}
}

func TestLookingCostsNoAllocation(t *testing.T) {
	s := learnt.New[uint32]("test", &registry{has: even}, "main", nil)
	mustLearn(t, s, 6)
	mustLearn(t, s, 7)
	if n := testing.AllocsPerRun(10, func() {
		for id := range uint32(10) {
			if s.Get(id) == nil {
				s.Missing(id)
			}
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGet(b *testing.B) {
	for _, n := range []uint32{1, 100, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := learnt.New[uint32]("test", &registry{has: all}, "main", nil)
			for id := range n {
				mustLearn(b, s, id)
			}
			b.ReportAllocs()
			id := uint32(0)
			for b.Loop() {
				s.Get(id)
				if id++; id == n {
					id = 0
				}
			}
		})
	}
}

func BenchmarkMissing(b *testing.B) {
	s := learnt.New[uint32]("test", &registry{has: none}, "main", nil)
	mustLearn(b, s, 7)
	b.ReportAllocs()
	for b.Loop() {
		if s.Get(7) == nil {
			s.Missing(7)
		}
	}
}
