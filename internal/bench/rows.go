package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/debug"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// rowMessages is how many messages are counted in each row of the memory of rows.
const rowMessages = 20

// held is what a part of a process holds of so many sources with full segments, and
// how many bytes of heap that is.
func held(sources int, fill func(sources int) (keep any, err error)) (live uint64, err error) {
	heap := func() uint64 {
		runtime.GC()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	keep, err := fill(sources)
	live = heap() - before
	runtime.KeepAlive(keep)
	return live, err
}

// rows measures one of what holds rows: the counters of sources, or what collects
// and what serves their records.
func (p *pass) rows() (r result, err error) {
	fill, ok := map[string]func(int) (any, error){"count": fillCounters, "collect": fillMachine, "serve": fillStore}[p.topics]
	if !ok {
		return r, fmt.Errorf("nothing that holds rows: %q", p.topics)
	}
	r.Live, err = held(int(p.messages), fill)
	r.memory()
	return r, err
}

// fillCounters counts as many windows of each source as a segment holds, and stores
// them as a flush does.
func fillCounters(sources int) (any, error) {
	counters := make([]*counter.Counter, sources)
	for i := range counters {
		c, err := filledCounter(i, func(counter.Key, *counter.Row) {})
		if err != nil {
			return nil, err
		}
		counters[i] = c
	}
	return counters, nil
}

func filledCounter(source int, put func(counter.Key, *counter.Row)) (*counter.Counter, error) {
	rng := rand.New(rand.NewPCG(uint64(source), 1))
	c, _ := counter.Recover(counter.Options{Owner: fmt.Sprintf("%012x", rng.Uint64()>>16), Windows: segmentWindows, Digest: "json 600 604800 3600"},
		counter.Edges{Newest: math.MaxInt64}, nil)
	c.Acked(c.Flush(nil))
	c.Confirmed()
	for o := range int64(segmentWindows * rowMessages) {
		c.Add(&counter.Event{Offset: o, Window: o / rowMessages * windowMs / 1000, Time: o, Arrival: audit.NoLatency, Event: audit.Event{
			Bytes: small, Hash: rng.Uint64(), Moment: rng.Uint64(), Latency: int64(math.Exp(rng.Float64() * math.Log(15*60*1000))),
		}})
	}
	c.Acked(c.Flush(put))
	if n := c.Len(); n != segmentWindows {
		return nil, fmt.Errorf("%d rows in memory, want %d", n, segmentWindows)
	}
	return c, nil
}

// eachRecord gives the records of all rows, encoded, as they come on the audit topic.
func eachRecord(sources int, do func(offset int64, r *audit.Record, value []byte) error) error {
	offset := int64(0)
	for i := range sources {
		var failed error
		_, err := filledCounter(i, func(k counter.Key, row *counter.Row) {
			r := &audit.Record{
				Kind: audit.KindWindow, Version: row.Last, Owner: k.Owner, Host: "bench",
				Identity: audit.Identity{Tier: "regional", Datacenter: "dc1", Cluster: "local", Topic: fmt.Sprintf("topic-%04d", i/4), TopicID: audit.TopicID{1, byte(i >> 8), byte(i)},
					Partition: int32(i % 4), Window: audit.Window{Start: row.Window, Size: windowMs / 1000}},
				Tally: &audit.WindowTally{Tally: row.Tally, First: row.First, Last: row.Last, Codec: "json", TimeBasis: audit.BasisUnknown,
					LatencyBasis: audit.BasisUnknown, Digest: "json 600 604800 3600", FingerprintMode: audit.FingerprintMode},
			}
			if value := r.AppendJSON(nil); failed == nil {
				offset++
				failed = do(offset, r, value)
			}
		})
		if err := errors.Join(err, failed); err != nil {
			return err
		}
	}
	return nil
}

// fillMachine collects the records, and stores them.
func fillMachine(sources int) (any, error) {
	m := collect.NewMachine(collect.MachineOptions{Owner: "0123456789ab", Partitions: 1, Horizon: 1 << 62})
	err := eachRecord(sources, func(offset int64, r *audit.Record, value []byte) error {
		if out, err := m.Apply(collect.Message{Offset: offset, Appended: 1, Key: []byte(r.Key()), Value: value}); out != collect.Collected {
			return fmt.Errorf("a record is %s: %w", out, err)
		}
		if n, _ := m.Pending(); n == 1000 {
			m.Acked(m.Take(), true)
		}
		return nil
	})
	m.Acked(m.Take(), true)
	if n := m.Len(); err == nil && n != sources*segmentWindows {
		err = fmt.Errorf("%d identities are held, want %d", n, sources*segmentWindows)
	}
	return m, err
}

// fillStore holds the records as a view does.
func fillStore(sources int) (any, error) {
	s := shards.NewStore()
	err := eachRecord(sources, func(offset int64, r *audit.Record, value []byte) error {
		row := table.Of(r, value, 1, offset)
		return s.Set(table.Key(r.IdentityKey(), "0123456789ab"), row.Append(nil))
	})
	return s, err
}
