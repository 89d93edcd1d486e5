package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// rowMessages is how many messages are counted in each row of the memory of rows.
const rowMessages = 20

// rows fills the counters of many sources, each with as many windows as a segment
// holds, stores them as a flush does, and reads the memory.
func (p *pass) rows() (r result, err error) {
	rng := rand.New(rand.NewPCG(1, 1))
	counters := make([]*counter.Counter, p.messages)
	var e counter.Event
	for i := range counters {
		c, _ := counter.Recover(counter.Options{Owner: fmt.Sprintf("%012x", rng.Uint64()>>16), Windows: segmentWindows, Digest: "json 600 604800 3600"},
			counter.Edges{Newest: math.MaxInt64}, nil)
		c.Acked(c.Flush(nil))
		c.Confirmed()
		for o := range int64(segmentWindows * rowMessages) {
			e = counter.Event{Offset: o, Window: o / rowMessages * windowMs / 1000, Time: o, Event: audit.Event{
				Bytes: docSize, Hash: rng.Uint64(), Latency: int64(math.Exp(rng.Float64() * math.Log(15*60*1000))),
			}}
			c.Add(&e)
		}
		c.Acked(c.Flush(func(counter.Key, *counter.Row) {}))
		if n := c.Len(); n != segmentWindows {
			return r, fmt.Errorf("%d rows in memory, want %d", n, segmentWindows)
		}
		counters[i] = c
	}
	runtime.GC()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	r.Live = m.HeapAlloc
	r.memory()
	runtime.KeepAlive(counters)
	return r, nil
}
