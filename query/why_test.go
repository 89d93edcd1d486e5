package query

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

func evidence() *Evidence {
	partition := int32(1)
	w := win(2)
	missing := found(compare.Missing, "", 3)
	missing.Places = []compare.Place{{Cluster: "east", Partition: &partition, Messages: 3, First: 5, Last: 9}}
	record := func(tier, cluster string, partition int32, n uint64) *audit.Record {
		r := &audit.Record{Kind: audit.KindWindow, Version: 9, Host: "h1", Owner: "o1",
			Identity: audit.Identity{Topic: "orders", Tier: tier, Cluster: cluster, Partition: partition, Window: w},
			Tally:    &audit.WindowTally{First: 5, Last: 9}}
		r.Tally.Count, r.Tally.Bytes = n, 10*n
		return r
	}
	e := &Evidence{
		Topic: "orders", Window: w, Now: w.To().Add(time.Hour), Standing: standing(6),
		Verdict: &compare.Verdict{Topic: "orders", Start: w.Start, Size: w.Size, Pipeline: "p", State: compare.Final, Kind: compare.Missing, Findings: []compare.Finding{missing},
			Tiers: []compare.Count{{Tier: "a", Messages: 13}, {Tier: "b", Messages: 10}}, Version: 77, Judged: w.End()*1000 + 130_000},
		Records: []*audit.Record{record("a", "east", 0, 8), record("a", "east", 1, 5), record("b", "all", 0, 10)},
		Progress: []Progress{{Tier: "a", Source: audit.Source{Topic: "orders", Cluster: "east", Partition: 1}, Host: "h1", AsOf: w.To(),
			SourceProgress: audit.SourceProgress{Partition: 1, Next: 12, End: 20, HighWatermark: 20}}},
		Instances: []Instance{{Tier: "app", Topic: "orders", Instance: "i1", Host: "h2", AsOf: w.To(), ClientCount: audit.ClientCount{Every: 60_000}}},
		Missed: []Missed{
			{Tier: "b", Source: audit.Source{Topic: "orders", Cluster: "all"}, AsOf: w.To(), Missed: audit.Missed{From: 3, To: 5, Reason: audit.MissedRetention, Since: w.Start * 1000}},
			{Tier: "b", Source: audit.Source{Topic: "orders", Cluster: "all"}, AsOf: w.To(), Missed: audit.Missed{From: 1, To: 2, Reason: audit.MissedRetention, Until: w.Start*1000 - 1}},
		},
	}
	e.Rows = Group(Windows{Topic: "orders", From: w.Start, To: w.End(), By: []Dimension{ByDatacenter, ByPartition}}, slices.Values(e.Records))
	return e
}

func TestWhyGoesFromTheVerdictDownToTheRecords(t *testing.T) {
	e := evidence()
	x := Why(e)
	all := strings.Join(x.Sentences, "\n")
	for _, want := range []string{
		"orders, window 2023-11-14T22:40:00Z to 2023-11-14T22:50:00Z: final, its verdict is missing, and 76.9231 % of what went in came out (pipeline p)",
		"3 messages passed a and are missing at b, east partition 1 (offsets 5 to 9)",
		"everything up to offset 77",
		"a counted 13 messages, 130 bytes; it is counted up to",
		"east partition 1: 5 messages, offsets 5 to 9; record " + e.Records[1].UUID().String() + ", version 9; counted up to offset 12 (of 20) by h1",
		"east partition 0: 8 messages, offsets 5 to 9; record " + e.Records[0].UUID().String() + ", version 9; nobody says how far it is counted",
		"offsets 3 to 4 of all:orders/0 at b can no longer be counted (retention)",
		"instance i1 of app on h2 has been silent since",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
	if len(x.Missed) != 1 || len(x.Silent) != 1 || len(x.Tiers) != 3 || x.Tiers[0].Messages != 13 || x.Tiers[1].Sources[0].Records[0] != e.Records[2] {
		t.Errorf("got %+v", x)
	}
	if len(x.Changes) != 2 || !strings.HasPrefix(x.Changes[0], "if the messages come to b") {
		t.Errorf("it would change by %q", x.Changes)
	}
}

func TestWhyMakesDoWithWhatThereIs(t *testing.T) {
	t.Run("without records the rows count", func(t *testing.T) {
		e := evidence()
		e.Records, e.NoRecords = nil, "the store is away"
		x := Why(e)
		if x.Tiers[0].Messages != 13 || len(x.Tiers[0].Sources) != 2 || !strings.Contains(x.Sentences[len(x.Sentences)-1], "the store is away") {
			t.Errorf("got %+v", x)
		}
	})
	t.Run("without a verdict all that is counted is empty", func(t *testing.T) {
		e := evidence()
		e.Verdict, e.Records, e.Rows = nil, nil, nil
		if x := Why(e); !x.Complete || !strings.Contains(x.Sentences[0], "complete at zero") || x.Held != nil {
			t.Errorf("got %+v", x)
		}
	})
	t.Run("of nothing it says so", func(t *testing.T) {
		x := Why(&Evidence{Topic: "orders", Window: win(0), Now: win(2).To()})
		if x.Complete || x.Held == nil || x.Kind != compare.Unknown || len(x.Changes) != 1 {
			t.Errorf("got %+v", x)
		}
	})
}

// Whatever is found, there is a way out or it is said that there is none.
func TestEveryFindingHasARemedy(t *testing.T) {
	for _, k := range []compare.Kind{compare.Missing, compare.Altered, compare.Duplicated} {
		if f := found(k, "", 1); remedy(&f) == "" {
			t.Errorf("none of %s", k)
		}
	}
	for _, r := range []compare.Reason{compare.Uncounted, compare.Unreported, compare.OpenTx, compare.Vanished, compare.Withheld, compare.Missed, compare.Partial,
		compare.Unacknowledged, compare.UnlikeSize, compare.UnlikeBasis, compare.UnlikeCodec, compare.NoPipeline} {
		if f := found(compare.Unknown, r, 1); remedy(&f) == "" {
			t.Errorf("none of %s", r)
		}
	}
}
