package sinktest

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

func nothing(_ *testing.T, s *store) {
	s.counts(everything())
	if list, err := s.Topics(s.t.Context(), math.MinInt64, math.MaxInt64); err != nil || len(list) != 0 {
		s.t.Errorf("topics: %v, %v", list, err)
	}
}

func empty(_ *testing.T, s *store) {
	s.write()
	s.counts(everything())
}

func again(_ *testing.T, s *store) {
	batch := []*audit.Record{record(600, 9, 5), record(1200, 9, 7), record(600, 9, 3, partition(1))}
	for range 3 {
		s.write(batch...)
		s.counts(everything(), 8, 7)
	}
}

func newer(_ *testing.T, s *store) {
	s.write(record(600, 1, 2), record(600, 5, 1, partition(1)))
	s.write(record(600, 9, 5))
	s.counts(everything(), 6)
}

func older(_ *testing.T, s *store) {
	s.write(record(600, 9, 5))
	s.write(record(600, 1, 2))
	s.write(record(600, 0, 1))
	s.counts(everything(), 5)
}

func versions(_ *testing.T, s *store) {
	s.write(record(600, 3, 4), record(600, 9, 5), record(600, 1, 2))
	s.counts(everything(), 5)
}

func owners(_ *testing.T, s *store) {
	other := func(r *audit.Record) { r.Owner, r.Host = "owner-0", "host-0" }
	s.write(record(600, 3, 4), record(600, 9, 5, other))
	s.write(record(600, 4, 4))
	s.counts(everything(), 5)
}

func segments(_ *testing.T, s *store) {
	at := func(generation, segment int64) func(*audit.Record) {
		return func(r *audit.Record) { r.Generation, r.Segment = generation, segment }
	}
	s.write(record(600, 3, 1, at(0, 0)), record(600, 9, 2, at(0, 1)), record(600, 19, 4, at(1, 0)))
	s.counts(everything(), 7)
	if rows := s.windows(everything()); rows[0].Sources != 1 {
		s.t.Errorf("from %d sources", rows[0].Sources)
	}
}

func bases(_ *testing.T, s *store) {
	at := func(generation, base int64) func(*audit.Record) {
		return func(r *audit.Record) { r.Generation, r.Base = generation, base }
	}
	s.write(record(600, 3, 1, at(1, 0)), record(1200, 3, 2, at(2, 0)), record(600, 3, 64, partition(1)))
	s.counts(everything(), 65, 2)
	s.write(record(600, 9, 4, at(2, 2)))
	s.counts(everything(), 68, 2)
	s.write(record(1800, 9, 8, at(3, 3))) // says for all windows of the source that 3 counts
	s.counts(everything(), 64, 8)
	s.write(record(600, 9, 16, at(4, 2))) // an older base, late
	s.counts(everything(), 80, 8)
	q := everything()
	q.From, q.To = 600, 1200
	s.counts(q, 80)
	if list, err := s.Topics(s.t.Context(), 0, 1800); err != nil || len(list) != 1 || list[0].Messages != 80 || list[0].Last != 600 {
		s.t.Errorf("topics: %+v, %v", list, err)
	}
}

func progressBase(_ *testing.T, s *store) {
	s.write(record(600, 3, 1), record(600, 3, 2, partition(1)), record(600, 3, 4, partition(2)))
	s.write(progressRecord(1, audit.SourceProgress{Partition: 0}, audit.SourceProgress{Partition: 1, Generation: 2, Base: 2, CaughtUp: audit.CaughtUpYes}))
	s.write(progressRecord(2, audit.SourceProgress{Partition: 2, Base: 0}))
	s.counts(everything(), 5)
}

func kinds(_ *testing.T, s *store) {
	other := func(kind audit.Kind, change func(*audit.Record)) *audit.Record {
		r := record(0, 7, 0)
		r.Kind, r.Window, r.Tally = kind, audit.Window{}, nil
		change(r)
		return r
	}
	batch := []*audit.Record{
		record(600, 9, 5),
		progressRecord(1, audit.SourceProgress{Partition: 3, Next: 7, Total: math.MaxUint64, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: audit.CaughtUpUnknown}),
		progressRecord(2),
		other(audit.KindProgress, func(r *audit.Record) {
			r.TopicID, r.Partition, r.Instance, r.Progress = audit.TopicID{}, audit.NoPartition, r.Owner, &audit.Progress{AskedAfter: 6}
		}),
		other(audit.KindMissed, func(r *audit.Record) {
			r.Missed = &audit.Missed{From: 3, To: 9, Reason: audit.MissedRetention, Since: 1795285200000}
		}),
		other(audit.KindHello, func(r *audit.Record) {
			r.Partition, r.Instance, r.Client = audit.NoPartition, "app-1", &audit.ClientCount{Started: 1795285200000, Every: 60_000}
		}),
		other(audit.KindGoodbye, func(r *audit.Record) {
			r.Partition, r.Instance, r.Client = audit.NoPartition, "app-1", &audit.ClientCount{Attempts: 9, Successes: 8, Failures: 1, Records: 4, Uncounted: math.MaxUint64}
		}),
		other("prophecy", func(r *audit.Record) {
			*r = audit.Record{Kind: r.Kind, Extra: map[string]json.RawMessage{"of": json.RawMessage(`{"a":[1,"ü"]}`)}}
		}),
		record(600, 9, 4, func(r *audit.Record) {
			r.Partition, r.Instance, r.Tier, r.Client = audit.NoPartition, "app-1", "client", &audit.ClientCount{Attempts: 5, Successes: 4, Failures: 1}
			r.Tally.Arrival = &audit.Latency{Sum: 3, Max: 3}
			r.Tally.Arrival.Bins.Put(7, 1)
			r.Tally.Sketch, r.Tally.SketchMode = []byte{0, 255, 128}, "iblt-1"
			r.Tally.First, r.Tally.Last = -1, -1
			r.Extra = map[string]json.RawMessage{"later": json.RawMessage(`"ü"`)}
		}),
	}
	s.write(batch...)
	s.write(batch...)
	s.counts(everything(), 4, 5)
	s.agrees(everything(query.ByPartition))
}

func hollow(t *testing.T, s *store) {
	r := record(600, 1, 0)
	r.Tally = nil
	if err := s.Write(t.Context(), []*audit.Record{record(1200, 1, 3), r}); !errors.Is(err, sinks.ErrRejected) {
		t.Errorf("got %v", err)
	}
}

func originals(_ *testing.T, s *store) {
	original := func(uuid string) func(*audit.Record) {
		return func(r *audit.Record) {
			mean := 2406911.5
			r.Partition, r.Cluster, r.TopicID, r.Owner = audit.NoPartition, "", audit.TopicID{}, ""
			r.Original = &audit.OriginalCount{UUID: uuid, MeanLatency: &mean}
		}
	}
	a, b := record(600, 0, 5, original("776938bb-9355-49e8-ab4f-c2ba08cc5778")), record(600, 0, 2, original("not a uuid"))
	s.write(a, b)
	s.write(b, a, a)
	s.counts(everything(), 7)
	if r := s.windows(everything())[0]; r.Originals != 2 || r.Sources != 0 {
		s.t.Errorf("from %d originals and %d sources", r.Originals, r.Sources)
	}
	s.write(record(600, 9, 1))
	s.counts(everything(), 8)
	s.agrees(everything(query.ByPartition, query.ByDatacenter))
}

func edges(_ *testing.T, s *store) {
	huge := func(r *audit.Record) {
		t := r.Tally
		t.Count, t.Bytes, t.NoTime, t.Malformed, t.OutOfBounds = 1<<62, math.MaxUint64/2, 1<<40, 1<<41, 1<<42
		t.Fingerprint = math.MaxUint64 - 1
		for i := range t.PowerSums {
			t.PowerSums[i] = 1<<61 - 2 - uint64(i)
			t.Moments[i] = 1<<61 - 20 + uint64(i)
		}
		t.Latency.Sum, t.Latency.Max, t.Latency.Negative, t.Latency.NegativeMax = 1<<62, math.MaxInt64, 1<<61, math.MaxInt64
		t.Latency.Bins.Put(audit.MinBin, 1<<40)
		t.Arrival = &audit.Latency{Sum: 1 << 61, Max: math.MaxInt64, Negative: 1 << 60, NegativeMax: math.MaxInt64}
		t.Arrival.Bins.Put(audit.MaxBin, 1<<59)
		t.Latency.Bins.Put(audit.MaxBin, 1<<60)
		t.First, t.Last, t.GenerationStart, t.Partial = 0, math.MaxInt64, math.MaxInt64, true
		r.Generation, r.Segment = math.MaxInt64, math.MaxInt64
	}
	last := partition(math.MaxInt32)
	s.write(record(600, math.MaxInt64, 0, huge), record(600, math.MaxInt64, 0, huge, last))
	// Windows before 1970, before 1900, beyond 2106, 2299 and what a time can hold.
	for _, start := range []int64{-600, -6_000_000_000, 6_000_000_000, 20_000_000_000, -9_223_372_036_854_600, 9_223_372_036_854_600} {
		s.write(record(start, 3, 2), record(start, 3, 1, partition(1)))
	}
	s.counts(everything(), 3, 3, 3, 1<<63, 3, 3, 3)
	s.agrees(everything(query.ByPartition))
	for _, q := range []query.Windows{
		{Topic: "orders", From: -6_000_000_000, To: 0}, {Topic: "orders", From: 600, To: 20_000_000_000}, {Topic: "orders", From: 6_000_000_001, To: math.MaxInt64},
	} {
		s.agrees(q)
	}
	if list, err := s.Topics(s.t.Context(), math.MinInt64, math.MaxInt64); err != nil || len(list) != 1 || list[0].First != -9_223_372_036_854_600 || list[0].Last != 9_223_372_036_854_600 {
		s.t.Errorf("topics: %+v, %v", list, err)
	}
}

func names(_ *testing.T, s *store) {
	for _, name := range []string{"Bestellungen-ü", "注文", "a'b", `back\slash`, "per%cent/slash", "tab\tnew\nline", "quote\"`", "{x:String}", "?", " ", "😀"} {
		s.write(record(600, 9, 3, func(r *audit.Record) {
			r.Topic, r.Tier, r.Datacenter, r.Cluster, r.Instance, r.Owner, r.Host = name, name, name, name, name, name, name
		}))
		s.counts(query.Windows{Topic: name, To: 601, By: []query.Dimension{query.ByDatacenter, query.ByCluster}}, 3)
		s.counts(query.Windows{Topic: name, To: 601, Tier: name, Datacenter: name, Cluster: name}, 3)
		s.counts(query.Windows{Topic: name, To: 601, Tier: name + "x"})
	}
}

func cancelled(t *testing.T, s *store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Write(ctx, []*audit.Record{record(600, 9, 5)}); !errors.Is(err, context.Canceled) || errors.Is(err, sinks.ErrRejected) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Windows(ctx, everything()); !errors.Is(err, context.Canceled) {
		t.Errorf("windows: %v", err)
	}
	if _, err := s.Topics(ctx, 0, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("topics: %v", err)
	}
	s.write(record(600, 9, 5))
	s.counts(everything(), 5)
}

func concurrent(t *testing.T, s *store) {
	var wg sync.WaitGroup
	for writer := range 4 {
		wg.Go(func() {
			for i := range int64(6) {
				version := (i*5 + int64(writer)) % 6 // each in an order of its own
				batch := []*audit.Record{record(600, version, uint64(version+1)), record(1200, version, 2, partition(int32(writer)))}
				if err := s.Write(t.Context(), batch); err != nil {
					t.Error(err)
				}
				if _, err := s.Windows(t.Context(), everything()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	var got []uint64
	for _, r := range s.windows(everything()) {
		got = append(got, r.Count)
	}
	if !slices.Equal(got, []uint64{6, 8}) {
		t.Errorf("counts %d", got)
	}
}

func reordered(t *testing.T, s *store) {
	const seed = 11
	rng := rand.New(rand.NewPCG(seed, 11))
	history := world(seed)
	for _, r := range history[:40] { // former versions of some
		former := *r
		tally := *r.Tally
		tally.Tally = audit.Tally{Count: r.Tally.Count / 2}
		former.Version, former.Tally, former.Owner = r.Version-1, &tally, "owner-0"
		history = append(history, &former)
	}
	for range 30 {
		history = append(history, history[rng.IntN(len(history))])
	}
	rng.Shuffle(len(history), func(i, j int) { history[i], history[j] = history[j], history[i] })
	for len(history) > 0 {
		n := min(len(history), 1+rng.IntN(40))
		s.write(history[:n]...)
		history = history[n:]
	}
	for _, q := range questions()[:20] {
		s.agrees(q)
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}
