package sinktest

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

func dimensions(_ *testing.T, s *store) {
	s.write(world(1)...)
	for _, q := range questions() {
		s.agrees(q)
	}
}

func percentiles(t *testing.T, s *store) {
	rng := rand.New(rand.NewPCG(3, 3))
	var all []float64
	for p := range int32(8) {
		s.write(record(600, 9, 0, partition(p), func(r *audit.Record) {
			for range 2000 {
				ms := int64(math.Exp(rng.NormFloat64()*1.5 + 5))
				all = append(all, float64(ms))
				r.Tally.Add(&audit.Event{Hash: rng.Uint64(), Moment: rng.Uint64(), Latency: ms})
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
