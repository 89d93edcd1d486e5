package count

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// unstored is a shard with sources that are read, on a processor that runs
// nothing: what is flushed goes nowhere.
func unstored(t *testing.T, sources int, o Options) *shard {
	t.Helper()
	selector, err := codecs.NewSelector(nil, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	o.Codecs, o.Topology, o.WindowSize = selector, processors.DefaultTopology(), time.Minute
	o.Config, o.Log = sarama.NewConfig, slog.New(slog.DiscardHandler)
	o.Health, o.Metrics = &health.Registry{}, prometheus.NewRegistry()
	o.Clusters = []Cluster{{Name: "local"}}
	p := New(o)
	s := &shard{p: p, claim: &shards.Claim{Owner: "a", Claims: 1}, sources: map[audit.Source]*source{}, kicked: make(chan struct{}, 1)}
	for i := range sources {
		x := s.source(audit.Source{Cluster: "local", Topic: fmt.Sprintf("t%03d", i)})
		x.c, _ = counter.Recover(counter.Options{Owner: "a", Windows: o.Windows}, counter.Edges{Newest: 1 << 40}, nil)
		x.c.Acked(x.c.Flush(nil))
		x.c.Confirmed()
		x.reading = true
	}
	return s
}

// scattered hands a source the next messages of a log in which no two have the
// same window.
func scattered(x *source, n int) (more bool) {
	b := &logs.Batch{Next: x.c.Next() + int64(n)}
	for o := x.c.Next(); o < b.Next; o++ {
		ms := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() + (o*7919%9000)*60_000
		b.Records = append(b.Records, logs.Record{Offset: o, Message: codecs.Message{Value: fmt.Appendf(nil, `{"ts":%d}`, ms), Time: ms}})
	}
	return x.Batch(b)
}

func TestScatteredEventTimesHoldBoundedRows(t *testing.T) {
	const sources, windows, pending, batch = 50, 8, 1000, 64
	rng := rand.New(rand.NewPCG(1, 1))
	s := unstored(t, sources, Options{Windows: windows, PendingRows: pending})
	list := s.list()
	total, most, paused := int64(0), 0, 0
	for round := 0; total < 200*sources*batch; round++ {
		if round > 100_000 {
			t.Fatal("no way on: everything is paused, or little comes through")
		}
		for _, x := range list {
			for !x.paused && rng.IntN(4) > 0 {
				scattered(x, batch)
				total += batch
			}
		}
		rows := 0
		for _, x := range list {
			rows += x.c.Len()
			if x.paused {
				paused++
			}
		}
		most = max(most, rows)
		// A flush stores some of the sources.
		for _, x := range list {
			if rng.IntN(5) == 0 {
				x.mu.Lock()
				x.c.Acked(x.c.Flush(func(counter.Key, *counter.Row) {}))
				x.c.Confirmed()
				x.weigh()
				x.mu.Unlock()
			}
		}
		s.resume()
	}
	if bound := sources*(windows+batch) + pending; most > bound {
		t.Errorf("%d rows in memory, at most %d expected", most, bound)
	}
	if paused == 0 {
		t.Error("nothing was paused")
	}
	for _, x := range list {
		if got := x.c.State().Total; got != uint64(x.c.Next()) {
			t.Errorf("%s: %d messages counted of %d", x.Source, got, x.c.Next())
		}
	}
	if s.lift(); s.p.pressure.rows.Load() != 0 {
		t.Errorf("%d rows left on the instance's account", s.p.pressure.rows.Load())
	}
}

func TestPressurePausesThoseWhoMakeIt(t *testing.T) {
	s := unstored(t, 2, Options{Windows: 8, PendingRows: 100, MaxPending: 10_000})
	list := s.list()
	wild, calm := list[0], list[1]
	for scattered(wild, 64) {
	}
	if n := s.p.pressure.rows.Load(); n <= 100 || n > 100+64 {
		t.Errorf("paused at %d rows", n)
	}
	if !scattered(calm, 1) || calm.paused {
		t.Error("a source without rows of closed segments is paused")
	}
	if s.resume(); !wild.paused {
		t.Error("resumed before its rows were stored")
	}
	wild.c.Acked(wild.c.Flush(func(counter.Key, *counter.Row) {}))
	wild.weigh()
	if s.resume(); wild.paused {
		t.Error("not resumed")
	}
}
