package query_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// window makes a record of a partition of "orders" at tier "regional".
func window(start int64, partition int32, version int64, count uint64, changes ...func(*audit.Record)) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindWindow,
		Identity: audit.Identity{
			Tier: "regional", Datacenter: "dc1", Cluster: "east", Topic: "orders", Partition: partition,
			Window: audit.Window{Start: start, Size: 600},
		},
		Version: version,
		Owner:   "a",
		Tally:   &audit.WindowTally{Tally: audit.Tally{Count: count, Bytes: count * 10, Fingerprint: count * 7}, First: 0, Last: version},
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

func all(by ...query.Dimension) query.Windows {
	return query.Windows{Topic: "orders", From: 0, To: 1 << 40, By: by}
}

func TestGroup(t *testing.T) {
	generation := func(n int64) func(*audit.Record) { return func(r *audit.Record) { r.Generation = n } }
	base := func(n int64) func(*audit.Record) { return func(r *audit.Record) { r.Base = n } }
	segment := func(n int64) func(*audit.Record) { return func(r *audit.Record) { r.Segment = n } }
	owner := func(o string) func(*audit.Record) { return func(r *audit.Record) { r.Owner = o } }
	original := func(uuid string) func(*audit.Record) {
		return func(r *audit.Record) {
			r.Partition, r.Original = audit.NoPartition, &audit.OriginalCount{UUID: uuid}
		}
	}
	progress := func(partition int32, base int64) *audit.Record {
		r := window(0, audit.NoPartition, 1, 0)
		r.Kind, r.Window, r.Tally = audit.KindProgress, audit.Window{}, nil
		r.Progress = &audit.Progress{Sources: []audit.SourceProgress{{Partition: partition, Base: base}}}
		return r
	}
	for _, c := range []struct {
		outcome string
		records []*audit.Record
		want    string
	}{
		{"nothing gives no rows", nil, ""},
		{"the highest version of an identity counts, whoever wrote it",
			[]*audit.Record{window(600, 0, 9, 5, owner("b")), window(600, 0, 3, 2)}, "600 regional 5 from 1; "},
		{"partitions add up",
			[]*audit.Record{window(600, 0, 9, 5), window(600, 1, 9, 2)}, "600 regional 7 from 2; "},
		{"segments and generations of a source add up",
			[]*audit.Record{window(600, 0, 9, 5), window(600, 0, 9, 2, segment(1)), window(600, 0, 9, 1, generation(1))}, "600 regional 8 from 1; "},
		{"generations below the base drop out",
			[]*audit.Record{window(600, 0, 9, 5), window(600, 0, 9, 2, generation(3), base(3)), window(600, 1, 9, 1)}, "600 regional 3 from 2; "},
		{"a base is learnt from another window",
			[]*audit.Record{window(600, 0, 9, 5), window(1<<41, 0, 9, 2, generation(3), base(3))}, ""},
		{"a base is learnt from progress, for that partition only",
			[]*audit.Record{window(600, 0, 9, 5), window(600, 1, 9, 2), progress(1, 1)}, "600 regional 5 from 1; "},
		{"without a base any generation counts",
			[]*audit.Record{window(600, 0, 9, 5, generation(-1))}, "600 regional 5 from 1; "},
		{"original records count once each and are no sources",
			[]*audit.Record{window(600, 0, 0, 5, original("x")), window(600, 0, 0, 5, original("x")), window(600, 0, 0, 1, original("y"))}, "600 regional 6 from 0 and 2 originals; "},
		{"windows come in order, and sizes are told apart",
			[]*audit.Record{window(1200, 0, 1, 1), window(-600, 0, 1, 9), window(600, 0, 1, 2), window(600, 0, 1, 3, func(r *audit.Record) { r.Size = 60 })},
			"600 regional 3 from 1; 600 regional 2 from 1; 1200 regional 1 from 1; "},
		{"another topic is not asked for",
			[]*audit.Record{window(600, 0, 1, 1, func(r *audit.Record) { r.Topic = "payments" })}, ""},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			var got string
			for _, r := range query.Group(all(), slices.Values(c.records)) {
				got += fmt.Sprintf("%d %s %d from %d", r.Start, r.Tier, r.Count, r.Sources)
				if r.Originals > 0 {
					got += fmt.Sprintf(" and %d originals", r.Originals)
				}
				got += "; "
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestGroupTellsApartWhatIsAskedFor(t *testing.T) {
	at := func(dc, cluster string, partition int32, count uint64) *audit.Record {
		return window(600, partition, 40, count, func(r *audit.Record) { r.Datacenter, r.Cluster, r.Tally.First = dc, cluster, 10 })
	}
	records := []*audit.Record{at("dc2", "west", 0, 1), at("dc1", "east", 1, 2), at("dc1", "east", 0, 4), at("dc1", "north", 0, 8), at("dc1", "east", audit.NoPartition, 16)}
	two := int32(1)
	for _, c := range []struct {
		outcome string
		q       query.Windows
		want    string
	}{
		{"by datacenter", all(query.ByDatacenter), "dc1//- 30 [-1,-1]; dc2//- 1 [-1,-1]; "},
		{"by cluster", all(query.ByCluster), "/east/- 22 [-1,-1]; /north/- 8 [-1,-1]; /west/- 1 [-1,-1]; "},
		{"by partition, and so by cluster", all(query.ByPartition), "/east/- 16 [-1,-1]; /east/0 4 [10,40]; /east/1 2 [10,40]; /north/0 8 [10,40]; /west/0 1 [10,40]; "},
		{"of one datacenter", query.Windows{Topic: "orders", To: 601, Datacenter: "dc2"}, "//- 1 [-1,-1]; "},
		{"of one cluster", query.Windows{Topic: "orders", To: 601, Cluster: "north"}, "//- 8 [-1,-1]; "},
		{"of one partition", query.Windows{Topic: "orders", To: 601, Partition: &two}, "//- 2 [-1,-1]; "},
		{"of another tier", query.Windows{Topic: "orders", To: 601, Tier: "aggregate"}, ""},
		{"before the window", query.Windows{Topic: "orders", To: 600}, ""},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			var got string
			for _, r := range query.Group(c.q, slices.Values(records)) {
				partition := "-"
				if r.Partition != nil {
					partition = fmt.Sprint(*r.Partition)
				}
				got += fmt.Sprintf("%s/%s/%s %d [%d,%d]; ", r.Datacenter, r.Cluster, partition, r.Count, r.First, r.Last)
			}
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestGroupTopics(t *testing.T) {
	other := func(r *audit.Record) { r.Topic, r.Tier, r.Cluster = "payments", "client", "" }
	records := []*audit.Record{window(600, 0, 1, 1), window(600, 0, 5, 3), window(1800, 1, 1, 4), window(6000, 0, 1, 9), window(600, 0, 1, 2, other)}
	got := query.GroupTopics(600, 6000, slices.Values(records))
	want := []query.Topic{
		{Name: "orders", Tiers: []string{"regional"}, Clusters: []string{"east"}, First: 600, Last: 1800, Messages: 7},
		{Name: "payments", Tiers: []string{"client"}, First: 600, Last: 600, Messages: 2},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The answer is a function of the set of records: their order, repetition, and
// older versions among them change nothing.
func TestGroupDoesNotDependOnOrderOrRepetition(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var history, final []*audit.Record
		for range 1 + rng.IntN(6) {
			r := window(600*int64(rng.IntN(3)), int32(rng.IntN(3)), 0, 0)
			r.Generation, r.Segment = int64(rng.IntN(3)), int64(rng.IntN(2))
			r.Base = r.Generation - int64(rng.IntN(2))
			r.Datacenter = []string{"dc1", "dc2"}[rng.IntN(2)]
			if slices.ContainsFunc(final, func(o *audit.Record) bool { return o.Identity == r.Identity }) {
				continue
			}
			var tally audit.Tally
			for version := range int64(1 + rng.IntN(4)) {
				tally.Add(&audit.Event{Bytes: rng.IntN(1000), Hash: rng.Uint64(), Moment: rng.Uint64(), Latency: rng.Int64N(1 << 20)})
				next := *r
				next.Version, next.Owner = version, fmt.Sprint(rng.IntN(3))
				next.Tally = &audit.WindowTally{Tally: tally.Clone(), First: 0, Last: version}
				if rng.IntN(2) == 0 {
					arrival := tally.Latency.Clone()
					next.Tally.Arrival = &arrival
				}
				history = append(history, &next)
			}
			final = append(final, history[len(history)-1])
		}
		q := all([][]query.Dimension{nil, {query.ByDatacenter}, {query.ByPartition}}[rng.IntN(3)]...)
		want := query.Group(q, slices.Values(final))
		for range 4 {
			for range rng.IntN(8) {
				history = append(history, history[rng.IntN(len(history))])
			}
			rng.Shuffle(len(history), func(i, j int) { history[i], history[j] = history[j], history[i] })
			if got := query.Group(q, slices.Values(history)); !sameRows(got, want) {
				t.Fatalf("seed %d: got %+v\nwant %+v", seed, got, want)
			}
		}
	}
}

func sameRows(a, b []query.Row) bool {
	return slices.EqualFunc(a, b, func(a, b query.Row) bool {
		same := a.Tally.Equal(&b.Tally) && a.Arrival.Equal(&b.Arrival)
		a.Tally, b.Tally, a.Arrival, b.Arrival = audit.Tally{}, audit.Tally{}, audit.Latency{}, audit.Latency{}
		return same && reflect.DeepEqual(a, b)
	})
}
