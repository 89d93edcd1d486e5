package sinktest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// Verdict is some verdict of a window, of a version, with everything in it that a verdict
// can have: what it says is a function of what is given.
func Verdict(topic string, start, version int64) *compare.Verdict {
	rng := rand.New(rand.NewPCG(uint64(start), uint64(version)))
	v := &compare.Verdict{
		Topic: topic, Start: start, Size: 600, Pipeline: fmt.Sprint("pipeline-", rng.IntN(2)), Judged: 1795285200000 + version, Version: version, Digest: "0123abcd",
		State: []compare.State{compare.Open, compare.Provisional, compare.Final, compare.Amended}[rng.IntN(4)],
	}
	if v.State.Settled() {
		v.Final = v.Judged - 5
	}
	if v.State == compare.Amended {
		v.AtFinal = map[string]uint64{}
	}
	names := []string{"client", "regional", "aggregate", "lake"}[:1+rng.IntN(4)]
	for _, name := range names {
		c := compare.Count{Tier: name, Messages: rng.Uint64N(50), Bytes: rng.Uint64(), Sources: rng.IntN(9), Counted: rng.IntN(2) == 0, NoTime: rng.Uint64N(3), Fingerprint: fmt.Sprint(rng.Uint64())}
		if rng.IntN(2) == 0 {
			c.Latency = &compare.Percentiles{Count: c.Messages, P50: rng.ExpFloat64(), P95: 1 / 3.0, P99: 1e21, Max: rng.Int64(), Negative: rng.Uint64N(2)}
			c.Arrival = &compare.Percentiles{Count: 1, P50: 0.1, Max: 1}
			c.Datacenters = []compare.Datacenter{{Name: "dc1", Messages: c.Messages}, {Name: "dc2"}}
		}
		if v.AtFinal != nil {
			v.AtFinal[name] = c.Messages / 2
		}
		v.Tiers = append(v.Tiers, c)
	}
	for range rng.IntN(4) {
		v.Findings = append(v.Findings, finding(rng, names))
	}
	slices.SortStableFunc(v.Findings, func(a, b compare.Finding) int { return a.Kind.Gravity() - b.Kind.Gravity() })
	v.Kind = compare.Gravest(v.Findings)
	return v
}

// finding is one as compare makes them: of neighbouring tiers, or of one alone.
func finding(rng *rand.Rand, names []string) compare.Finding {
	any := func(list ...compare.Reason) compare.Reason { return list[rng.IntN(len(list))] }
	alone := compare.Finding{Kind: compare.Unknown, Reason: any(compare.Uncounted, compare.OpenTx, compare.Missed), To: names[rng.IntN(len(names))], Messages: rng.Uint64N(9), Bound: compare.AtMost}
	if rng.IntN(4) == 0 {
		alone.Kind, alone.Reason, alone.Bound = compare.Late, compare.Arrived, compare.Exactly
	}
	if len(names) == 1 || rng.IntN(3) == 0 {
		return alone
	}
	i := 1 + rng.IntN(len(names)-1)
	partition := rng.Int32N(12)
	f := compare.Finding{Kind: compare.Kinds()[rng.IntN(6)], From: names[i-1], To: names[i], Messages: 1 + rng.Uint64N(9)}
	f.Bound = []compare.Bound{compare.Exactly, compare.Exactly, compare.AtLeast}[rng.IntN(3)]
	f.Places = []compare.Place{{Datacenter: "dc1", Cluster: "east", Partition: &partition, Messages: f.Messages, First: 3, Last: math.MaxInt64}, {Instance: "app-1", First: -1, Last: -1}}
	switch f.Kind {
	case compare.Late:
		f.Reason = any(compare.Behind, compare.Shifted)
	case compare.Unknown:
		f.Reason = any(compare.Unacknowledged, compare.UnlikeCodec)
	case compare.Complete:
		f.Reason, f.Messages, f.Bound, f.Places = compare.CountsOnly, 0, compare.Exactly, nil
	default:
		f.IDs = []compare.MessageID{{ID: rng.Uint64() >> 3, Times: -1}, {ID: 1, Times: 2}}
		if f.Explained = rng.IntN(3) == 0; f.Explained {
			f.Reason, f.Detail = compare.Configured, "a filter, 'as it were'\n"
		}
	}
	return f
}

func (s *store) judge(batch ...*compare.Verdict) {
	s.t.Helper()
	s.judged = append(s.judged, batch...)
	if err := s.WriteVerdicts(s.t.Context(), batch); err != nil {
		s.t.Fatalf("write verdicts: %v", err)
	}
}

// told compares the sink with what was written: the newest verdict of each window.
func (s *store) told(q query.Verdicts) (starts []int64) {
	s.t.Helper()
	type key struct {
		topic string
		audit.Window
	}
	newest := map[key]*compare.Verdict{}
	for _, v := range s.judged {
		if old := newest[key{v.Topic, v.Window()}]; old == nil || v.Version > old.Version {
			newest[key{v.Topic, v.Window()}] = v
		}
	}
	var want []*compare.Verdict
	for _, v := range newest {
		if q.Wants(v) {
			want = append(want, v)
		}
	}
	slices.SortFunc(want, query.CompareVerdicts)
	got, err := s.Verdicts(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("verdicts of %+v: %v", q, err)
	}
	if g, w := lines(s.t, got), lines(s.t, want); g != w {
		s.t.Errorf("asked %+v\ngot\n%swant\n%s", q, g, w)
	}
	for _, v := range got {
		starts = append(starts, v.Start)
	}
	return starts
}

func lines(t *testing.T, list []*compare.Verdict) (s string) {
	t.Helper()
	for _, v := range list {
		b, err := v.Encode()
		if err != nil {
			t.Fatal(err)
		}
		s += string(b) + "\n"
	}
	return s
}

func ever() query.Verdicts { return query.Verdicts{From: math.MinInt64, To: math.MaxInt64} }

func noVerdicts(_ *testing.T, s *store) {
	s.told(ever())
	s.judge()
	s.told(ever())
}

func verdictsAsWritten(t *testing.T, s *store) {
	for n := range int64(40) {
		s.judge(Verdict("orders", 600*n, n))
	}
	bare := &compare.Verdict{Topic: "bare", Size: 1}
	huge := Verdict("huge", 600, math.MaxInt64)
	huge.Judged, huge.Final, huge.Size = math.MaxInt64, math.MinInt64, math.MaxInt64
	huge.Tiers[0].Messages, huge.Tiers[0].Sources = math.MaxUint64, math.MaxInt64
	huge.Findings = []compare.Finding{{Kind: "dreadful", Reason: "nobody knows it", Messages: math.MaxUint64, From: "client"}}
	later, _, err := compare.Decode([]byte(`{"record":"verdict","topic":"later","start":600,"size":600,"version":3,"tiers":[{"tier":"a","messages":1,"hue":{"b":1.0}}],"mood":"ü"}`))
	if err != nil {
		t.Fatal(err)
	}
	s.judge(bare, huge, later)
	for _, start := range []int64{-600, -6_000_000_000, 6_000_000_000, 20_000_000_000, -9_223_372_036_854_600, 9_223_372_036_854_600} {
		s.judge(Verdict("edges", start, 3))
	}
	for _, name := range []string{"Bestellungen-ü", "注文", "a'b", `back\slash`, "tab\tnew\nline", "quote\"`", "{x:String}", "?", " ", "😀"} {
		s.judge(Verdict(name, 600, 1))
		s.told(query.Verdicts{Topic: name, To: 601})
	}
	s.told(ever())
}

func verdictsAgain(t *testing.T, s *store) {
	batch := []*compare.Verdict{Verdict("orders", 600, 9), Verdict("orders", 1200, 9), Verdict("payments", 600, 4)}
	for range 3 {
		s.judge(batch...)
		if got := s.told(ever()); !slices.Equal(got, []int64{600, 1200, 600}) {
			t.Errorf("windows %d", got)
		}
	}
}

func newerVerdicts(_ *testing.T, s *store) {
	s.judge(Verdict("orders", 600, 1), Verdict("orders", 600, 5), Verdict("orders", 600, 3))
	s.told(ever())
	s.judge(Verdict("orders", 600, 9))
	s.told(ever())
	s.judge(Verdict("orders", 600, 2)) // late
	s.judge(Verdict("orders", 600, 0))
	s.told(ever())
	wider := Verdict("orders", 600, 1) // another window, which starts at the same time
	wider.Size = 1200
	s.judge(wider)
	s.told(ever())
}

func verdictsAsAsked(t *testing.T, s *store) {
	for n := range int64(12) {
		s.judge(Verdict("orders", 600*n, n), Verdict("payments", 600*n, n+1), Verdict("clicks", 600*n+1, n))
	}
	moved := Verdict("orders", 1200, 50) // to another pipeline: the older verdict must not come back
	moved.Pipeline = "elsewhere"
	s.judge(moved)
	for _, q := range []query.Verdicts{
		{}, {From: 600, To: 600}, {From: 600, To: 1200}, {From: 601, To: 4801}, {From: math.MinInt64, To: 0},
		{Topic: "orders", From: 600, To: 3000}, {Topic: "nothing", To: math.MaxInt64}, {Pipeline: "pipeline-0", To: math.MaxInt64}, {Pipeline: "pipeline-1", To: math.MaxInt64},
		{Pipeline: "elsewhere", Topic: "orders", To: 3000}, {Pipeline: "elsewhere", Topic: "payments", To: 3000},
	} {
		s.told(q)
	}
	if got := s.told(query.Verdicts{Topic: "clicks", From: 601, To: 1801}); !slices.Equal(got, []int64{601, 1201}) {
		t.Errorf("windows %d", got)
	}
}

func hollowVerdicts(t *testing.T, s *store) {
	for _, v := range []*compare.Verdict{{Size: 600}, {Topic: "orders"}, {Topic: "orders", Size: -1}} {
		if err := s.WriteVerdicts(t.Context(), []*compare.Verdict{Verdict("orders", 600, 1), v}); !errors.Is(err, sinks.ErrRejected) {
			t.Errorf("%+v: %v", v, err)
		}
	}
}

func cancelledVerdicts(t *testing.T, s *store) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WriteVerdicts(ctx, []*compare.Verdict{Verdict("orders", 600, 1)}); !errors.Is(err, context.Canceled) || errors.Is(err, sinks.ErrRejected) {
		t.Errorf("write: %v", err)
	}
	if _, err := s.Verdicts(ctx, ever()); !errors.Is(err, context.Canceled) {
		t.Errorf("verdicts: %v", err)
	}
}

func reorderedVerdicts(t *testing.T, s *store) {
	const seed = 12
	rng := rand.New(rand.NewPCG(seed, 12))
	var history []*compare.Verdict
	for range 300 {
		history = append(history, Verdict([]string{"orders", "payments"}[rng.IntN(2)], 600*rng.Int64N(12), rng.Int64N(9)))
	}
	for len(history) > 0 {
		n := min(len(history), 1+rng.IntN(60))
		s.judge(history[:n]...)
		history = history[n:]
	}
	s.told(ever())
	s.told(query.Verdicts{Topic: "payments", From: 1200, To: 3600, Pipeline: "pipeline-1"})
	s.told(query.Verdicts{From: 0, To: 7200, Kinds: []compare.Kind{compare.Missing, compare.Late}})
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}
