package counter

import (
	"math"
	"runtime"
	"testing"
)

func BenchmarkAdd(b *testing.B) {
	c, _ := Recover(Options{Owner: "a", Windows: 64}, Edges{0, math.MaxInt64}, nil)
	e := event(0, 0)
	o := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		e.Offset, e.Window, e.Latency = o, o>>8&7*600, o&4095
		e.Hash, e.Moment = uint64(o)*0x9e3779b97f4a7c15, uint64(o)*0x9e3779b1
		c.Add(e)
		o++
	}
}

func TestAddDoesNotAllocate(t *testing.T) {
	c, _ := Recover(Options{Owner: "a", Windows: 64}, Edges{0, math.MaxInt64}, nil)
	o := int64(0)
	e := event(0, 0)
	add := func() {
		e.Offset, e.Window, e.Latency = o, o&7*600, o&1023
		c.Add(e)
		o++
	}
	for range 10_000 {
		add()
	}
	if n := testing.AllocsPerRun(10_000, add); n > 0 {
		t.Errorf("%v allocations per message", n)
	}
}

// 4,000 partitions with 6 windows each, latencies from 1 ms to 2 s.
func TestManyRowsAreSmall(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	counters := make([]*Counter, 4000)
	for i := range counters {
		c, _ := Recover(Options{Owner: "a", Windows: 64, Digest: "json"}, Edges{0, 1000}, nil)
		for o := range int64(300) {
			e := event(o, o%6*600)
			e.Latency = o * o / 45
			c.Add(e)
		}
		counters[i] = c
	}
	after := heap()
	if mb := (after - before) >> 20; mb > 80 {
		t.Errorf("24,000 rows take %d MB", mb)
	} else {
		t.Logf("24,000 rows take %d MB", mb)
	}
	runtime.KeepAlive(counters)
}
