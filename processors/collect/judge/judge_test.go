package judge

import (
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// told is a judge that is told of a topic by hand.
type told struct {
	*Judge
	now, offset int64
	versions    map[string]int64
	verdicts    []*compare.Verdict
	standings   []*compare.Standing
}

func tell(t *testing.T, tiers ...string) *told {
	t.Helper()
	var clusters []compare.Cluster
	for _, tier := range tiers {
		clusters = append(clusters, compare.Cluster{Name: tier, Tier: tier})
	}
	plan, err := compare.NewPlan([]compare.Pipeline{{Name: "main", Topics: []string{".*"}, Tiers: tiers, Grace: 2 * time.Minute, LateWithin: time.Hour, GoneAfter: 15 * time.Minute}}, clusters)
	if err != nil {
		t.Fatal(err)
	}
	j := New(Options{Plan: plan})
	j.Loaded(0)
	return &told{Judge: j, versions: map[string]int64{}}
}

func (x *told) said() Said {
	x.offset++
	return Said{Appended: x.now, Offset: x.offset}
}

// pass lets time pass, and the instance of each tier say that it has counted all.
func (x *told) pass(d time.Duration, speak func(tier string) bool, ends map[string]int64, tiers ...string) {
	for end := x.now + d.Milliseconds(); x.now < end; {
		x.now += 5000
		for _, tier := range tiers {
			if speak(tier) {
				x.versions[tier]++
				r := &audit.Record{Kind: audit.KindProgress, Version: x.versions[tier], Owner: "one",
					Identity: audit.Identity{Tier: tier, Cluster: tier, Topic: "orders", Partition: audit.NoPartition, Instance: "one"},
					Progress: &audit.Progress{AskedAfter: x.versions[tier] - 1}}
				if n, there := ends[tier]; there {
					r.TopicID = audit.TopicID{1}
					r.Progress.Partitions = 1
					r.Progress.Sources = []audit.SourceProgress{{Next: n, End: n, HighWatermark: n, Total: uint64(n)}}
				}
				x.Record(r, x.said())
			}
			x.Advance(x.now, x.offset)
		}
		x.offset++
		x.Advance(x.now, x.offset)
		v, s := x.Take()
		x.verdicts, x.standings = append(x.verdicts, v...), append(x.standings, s...)
	}
}

func (x *told) count(tier string, start int64, hashes ...uint64) {
	r := &audit.Record{Kind: audit.KindWindow, Version: int64(len(hashes) - 1), Owner: "one",
		Identity: audit.Identity{Tier: tier, Cluster: tier, Topic: "orders", TopicID: audit.TopicID{1}, Window: audit.Window{Start: start, Size: 600}},
		Tally:    &audit.WindowTally{Last: int64(len(hashes) - 1), TimeBasis: audit.BasisPayload, FingerprintMode: audit.FingerprintMode}}
	for _, h := range hashes {
		r.Tally.Add(&audit.Event{Hash: h, Moment: h * 7, Latency: audit.NoLatency})
	}
	x.Window(r, nil, x.said())
	x.Advance(x.now, x.offset)
}

func (x *told) last(start int64) *compare.Verdict {
	for i := len(x.verdicts) - 1; i >= 0; i-- {
		if x.verdicts[i].Start == start {
			return x.verdicts[i]
		}
	}
	return &compare.Verdict{}
}

func always(string) bool { return true }

// A topic that a cluster does not have enters the pipeline after it.
func TestATierWithoutTheTopicIsLeftOut(t *testing.T) {
	x := tell(t, "edge", "core")
	x.count("core", 0, 1, 2, 3)
	x.pass(15*time.Minute, always, map[string]int64{"core": 3}, "edge", "core")
	if v := x.last(0); v.State != compare.Final || v.Kind != compare.Complete || len(v.Tiers) != 1 {
		t.Errorf("said %+v", v)
	}
}

// Nobody has said whether the first cluster has the topic: it cannot be reached.
func TestATierThatNobodySpeaksOfIsNotLeftOut(t *testing.T) {
	x := tell(t, "edge", "core")
	x.count("core", 0, 1, 2, 3)
	x.pass(15*time.Minute, func(tier string) bool { return tier == "core" }, map[string]int64{"core": 3}, "edge", "core")
	if v := x.last(0); v.State.Settled() || v.Kind != compare.Unknown {
		t.Errorf("said %+v", v)
	}
	if s := x.standings[len(x.standings)-1]; s.Until != 0 {
		t.Errorf("settled up to %d", s.Until)
	}
}

// It did not have the topic when it was asked last, and that was before the window.
func TestATierThatNobodySpeaksOfAnyMoreIsNotLeftOut(t *testing.T) {
	x := tell(t, "edge", "core")
	x.count("core", 0, 1, 2, 3)
	x.pass(15*time.Minute, func(tier string) bool { return tier == "core" || x.now < 300_000 }, map[string]int64{"core": 3}, "edge", "core")
	if v := x.last(0); v.State.Settled() || v.Kind != compare.Unknown {
		t.Errorf("said %+v", v)
	}
	x.count("edge", 0, 1, 2, 3, 4)
	x.pass(time.Minute, always, map[string]int64{"edge": 4, "core": 3}, "edge", "core")
	if v := x.last(0); v.State != compare.Final || v.Kind != compare.Missing || v.Findings[0].Messages != 1 {
		t.Errorf("said %+v", v)
	}
}
