// Package sinktest holds what every sink has to fulfil, as tests.
//
// The measure of an answer is query.Group over everything that was written: a
// store says in its own language what Group says in Go.
package sinktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// Run runs the suite. newSink makes an empty sink that keeps windows of any age
// and cleans up with the test.
func Run(t *testing.T, newSink func(testing.TB) sinks.Sink) {
	for _, c := range []struct {
		outcome string
		story   func(*testing.T, *store)
	}{
		{"nothing written gives no rows", nothing},
		{"a batch may be empty", empty},
		{"a batch may be written again", again},
		{"a newer record replaces an older one", newer},
		{"an older record after a newer one changes nothing", older},
		{"a batch may hold several versions of a record", versions},
		{"the owner of a record is no part of its identity", owners},
		{"segments and generations add up", segments},
		{"generations below the base drop out", bases},
		{"a base is learnt from progress", progressBase},
		{"every kind is accepted", kinds},
		{"a window record that says nothing is rejected", hollow},
		{"original records count once each", originals},
		{"numbers at the edges survive", edges},
		{"names of any kind survive", names},
		{"rows are told apart and filtered as asked", dimensions},
		{"percentiles of the whole are within 1 %", percentiles},
		{"topics are listed", topics},
		{"a context that ended is an error and no rejection", cancelled},
		{"writers do not disturb each other", concurrent},
		{"any order, cut and repetition gives the same answer", reordered},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			s := newSink(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			c.story(t, &store{t: t, Sink: s})
		})
	}
}

// A store is a sink that remembers what was written.
type store struct {
	t *testing.T
	sinks.Sink
	written []*audit.Record
}

func (s *store) write(batch ...*audit.Record) {
	s.t.Helper()
	s.written = append(s.written, batch...)
	if err := s.Write(s.t.Context(), batch); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

func (s *store) windows(q query.Windows) []query.Row {
	s.t.Helper()
	rows, err := s.Windows(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("windows of %+v: %v", q, err)
	}
	return rows
}

// agrees compares the sink with query.Group.
func (s *store) agrees(q query.Windows) {
	s.t.Helper()
	if got, want := s.windows(q), query.Group(q, slices.Values(s.written)); !equal(got, want) {
		s.t.Errorf("asked %+v\ngot  %s\nwant %s", q, show(got), show(want))
	}
}

// counts compares the numbers of messages per row, and the sink with query.Group.
func (s *store) counts(q query.Windows, want ...uint64) {
	s.t.Helper()
	s.agrees(q)
	var got []uint64
	for _, r := range s.windows(q) {
		got = append(got, r.Count)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("asked %+v: counts %d, want %d", q, got, want)
	}
}

func equal(a, b []query.Row) bool {
	return slices.EqualFunc(a, b, func(a, b query.Row) bool {
		same := a.Tally.Equal(&b.Tally)
		a.Tally, b.Tally = audit.Tally{}, audit.Tally{}
		return same && reflect.DeepEqual(a, b)
	})
}

func show(rows []query.Row) (s string) {
	for _, r := range rows {
		partition := "-"
		if r.Partition != nil {
			partition = fmt.Sprint(*r.Partition)
		}
		s += fmt.Sprintf("\n  %q %d+%d %q/%q/%q/%s [%d,%d] partial=%t sources=%d originals=%d count=%d bytes=%d no-time=%d malformed=%d out=%d fp=%d sums=%d latency=%d bins sum=%d max=%d negative=%d/%d",
			r.Topic, r.Start, r.Size, r.Tier, r.Datacenter, r.Cluster, partition, r.First, r.Last, r.Partial, r.Sources, r.Originals, r.Count, r.Bytes, r.NoTime,
			r.Malformed, r.OutOfBounds, r.Fingerprint, r.PowerSums, r.Latency.Bins.Len(), r.Latency.Sum, r.Latency.Max, r.Latency.Negative, r.Latency.NegativeMax)
	}
	return s
}

func everything(by ...query.Dimension) query.Windows {
	return query.Windows{Topic: "orders", From: math.MinInt64, To: math.MaxInt64, By: by}
}

// record is a window record of partition 0 with so many messages, whose content
// is a function of what is given.
func record(start, version int64, count uint64, changes ...func(*audit.Record)) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindWindow,
		Identity: audit.Identity{
			Tier: "regional", Datacenter: "dc1", Cluster: "east", Topic: "orders", TopicID: audit.TopicID{1, 2, 3},
			Window: audit.Window{Start: start, Size: 600},
		},
		Version: version, Owner: "owner-1", Host: "host-1",
		Tally: &audit.WindowTally{First: 0, Last: version, Codec: "json", TimeBasis: audit.BasisPayload, LatencyBasis: audit.BasisCreateTime, FingerprintMode: audit.FingerprintMode},
	}
	for _, change := range changes {
		change(r)
	}
	for i := range count {
		r.Tally.Add(&audit.Event{Bytes: 100 + int(i), Hash: (uint64(start) + i + 1) * 0x9e3779b97f4a7c15, Class: audit.Class(i % 4), Latency: int64(i*i*37) - 5})
	}
	return r
}

func partition(n int32) func(*audit.Record) { return func(r *audit.Record) { r.Partition = n } }

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

func progressRecord(version int64, sources ...audit.SourceProgress) *audit.Record {
	r := record(0, version, 0)
	r.Kind, r.Window, r.Tally, r.Partition = audit.KindProgress, audit.Window{}, nil, audit.NoPartition
	r.Progress = &audit.Progress{AskedAfter: version - 1, Partitions: 12, Sources: sources}
	return r
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
		progressRecord(1, audit.SourceProgress{Partition: 3, Next: 7, Total: math.MaxUint64, End: -1, LogStart: -1, CaughtUp: audit.CaughtUpUnknown}),
		progressRecord(2),
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
		}
		t.Latency.Sum, t.Latency.Max, t.Latency.Negative, t.Latency.NegativeMax = 1<<62, math.MaxInt64, 1<<61, math.MaxInt64
		t.Latency.Bins.Put(audit.MinBin, 1<<40)
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

func dimensions(_ *testing.T, s *store) {
	s.write(world(1)...)
	for _, q := range questions() {
		s.agrees(q)
	}
}

// world is some records of several tiers, datacenters, clusters and partitions.
func world(seed uint64) (list []*audit.Record) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for range 60 {
		dc := rng.IntN(3)
		list = append(list, record(600*int64(rng.IntN(4)), rng.Int64N(1000), uint64(rng.IntN(30)), func(r *audit.Record) {
			r.Tier = []string{"client", "regional", "aggregate"}[rng.IntN(3)]
			r.Datacenter, r.Cluster = fmt.Sprintf("dc%d", dc), fmt.Sprintf("cluster%d%d", dc, rng.IntN(2))
			r.Partition = int32(rng.IntN(4))
			r.Tally.Partial = rng.IntN(9) == 0
			r.Tally.First = rng.Int64N(100)
			if r.Tier == "client" {
				r.Partition, r.Instance, r.Tally.First, r.Tally.Last = audit.NoPartition, fmt.Sprintf("app-%d", rng.IntN(3)), -1, -1
			}
			r.Segment = int64(rng.IntN(2))
		}))
	}
	// One content per identity and version: two accidents of the dice are told apart by segment.
	seen := map[string]bool{}
	for _, r := range list {
		for seen[r.IdentityKey()] {
			r.Segment++
		}
		seen[r.IdentityKey()] = true
	}
	return list
}

func questions() (list []query.Windows) {
	zero, none := int32(0), audit.NoPartition
	for _, by := range [][]query.Dimension{
		nil, {query.ByDatacenter}, {query.ByCluster}, {query.ByPartition}, {query.ByDatacenter, query.ByPartition}, {query.ByPartition, query.ByCluster, query.ByDatacenter},
	} {
		for _, q := range []query.Windows{
			{}, {Tier: "regional"}, {Datacenter: "dc1"}, {Cluster: "cluster01"}, {Partition: &zero}, {Partition: &none}, {Tier: "client", Datacenter: "dc2", Cluster: "cluster20"},
			{Tier: "nowhere"}, {From: 600, To: 1200}, {From: 601, To: 1800},
		} {
			q.Topic, q.By = "orders", by
			if q.To == 0 {
				q.To = math.MaxInt64
			}
			list = append(list, q)
		}
	}
	return list
}

func percentiles(t *testing.T, s *store) {
	rng := rand.New(rand.NewPCG(3, 3))
	var all []float64
	for p := range int32(8) {
		s.write(record(600, 9, 0, partition(p), func(r *audit.Record) {
			for range 2000 {
				ms := int64(math.Exp(rng.NormFloat64()*1.5 + 5))
				all = append(all, float64(ms))
				r.Tally.Add(&audit.Event{Hash: rng.Uint64(), Latency: ms})
			}
		}))
	}
	slices.Sort(all)
	rows := s.windows(everything())
	if len(rows) != 1 || rows[0].Latency.Count() != uint64(len(all)) {
		t.Fatalf("got %s", show(rows))
	}
	for _, q := range []float64{0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1} {
		exact := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := rows[0].Latency.Quantile(q); math.Abs(got-exact) > 0.0101*exact {
			t.Errorf("quantile %v is %v, exactly %v", q, got, exact)
		}
	}
}

func topics(t *testing.T, s *store) {
	s.write(world(2)...)
	s.write(record(1200, 3, 3, func(r *audit.Record) { r.Topic, r.Tier, r.Cluster = "zebra", "client", "" }))
	s.write(record(60000, 3, 3, func(r *audit.Record) { r.Topic = "aardvark" }))
	s.write(record(1200, 4, 4, func(r *audit.Record) { r.Topic, r.Tier, r.Cluster = "zebra", "client", "" }))
	for _, span := range [][2]int64{{0, math.MaxInt64}, {math.MinInt64, math.MaxInt64}, {600, 1201}, {1201, 60000}, {5, 5}} {
		got, err := s.Topics(t.Context(), span[0], span[1])
		if err != nil {
			t.Fatal(err)
		}
		want := query.GroupTopics(span[0], span[1], slices.Values(s.written))
		if len(got)+len(want) > 0 && !reflect.DeepEqual(tidy(got), tidy(want)) {
			t.Errorf("in %d\ngot  %+v\nwant %+v", span, got, want)
		}
	}
}

// tidy makes no clusters and an empty list of clusters the same.
func tidy(list []query.Topic) []query.Topic {
	list = slices.Clone(list)
	for i := range list {
		list[i].Clusters = slices.Clip(append([]string{}, list[i].Clusters...))
		list[i].Tiers = slices.Clip(append([]string{}, list[i].Tiers...))
	}
	return list
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
