package clickhouse_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks/clickhouse"
)

// What people read in the views is what query.Group says of the same records.
func TestViewsSayWhatGroupSays(t *testing.T) {
	name := freshName(t)
	s := open(t, clickhouse.Options{Database: name})
	defer s.Close()
	rng := rand.New(rand.NewPCG(5, 5))
	var written []*audit.Record
	for i := range 80 {
		r := record("orders", 600*int64(rng.IntN(3)), int64(i), 0)
		r.Tier = []string{"regional", "aggregate"}[rng.IntN(2)]
		r.Datacenter, r.Partition, r.Generation = fmt.Sprint("dc", rng.IntN(2)), int32(rng.IntN(5)), int64(rng.IntN(3))
		if r.Generation == 2 && rng.IntN(4) == 0 {
			r.Base = 2
		}
		if rng.IntN(10) == 0 {
			r.Partition, r.Version, r.Generation, r.Base = audit.NoPartition, 0, 0, 0
			r.Original = &audit.OriginalCount{UUID: fmt.Sprint("u", i)}
		}
		r.Tally.Partial = rng.IntN(20) == 0
		for range rng.IntN(200) {
			r.Tally.Add(&audit.Event{Bytes: rng.IntN(500), Hash: rng.Uint64(), Moment: rng.Uint64(), Class: audit.Class(rng.IntN(4)), Latency: int64(math.Exp(rng.NormFloat64()*3+4)) - 9})
		}
		if r.Original == nil && rng.IntN(3) > 0 {
			r.Tally.Arrival = &audit.Latency{}
			for range rng.IntN(150) {
				r.Tally.Arrival.Add(int64(math.Exp(rng.NormFloat64()*3+5)) - 9)
			}
		}
		written = append(written, r)
	}
	must(t, s.Write(t.Context(), written[:50]))
	must(t, s.Write(t.Context(), written[20:]))

	type line struct {
		Start int64  `ch:"window_start"`
		Tier  string `ch:"tier"`
		DC    string `ch:"datacenter"`

		Messages    uint64  `ch:"messages"`
		Bytes       uint64  `ch:"bytes"`
		NoTime      uint64  `ch:"no_time"`
		Malformed   uint64  `ch:"malformed"`
		OutOfBounds uint64  `ch:"out_of_bounds"`
		Partial     bool    `ch:"partial"`
		Sources     uint64  `ch:"sources"`
		Originals   uint64  `ch:"originals"`
		Fingerprint uint64  `ch:"fingerprint"`
		Latencies   uint64  `ch:"latencies"`
		Mean        float64 `ch:"mean_ms"`
		P50         float64 `ch:"p50_ms"`
		P95         float64 `ch:"p95_ms"`
		P99         float64 `ch:"p99_ms"`
		P999        float64 `ch:"p999_ms"`
		Max         int64   `ch:"max_ms"`
		Negative    uint64  `ch:"negative_latencies"`
		NegativeMax int64   `ch:"negative_ms"`

		Arrivals        uint64  `ch:"arrivals"`
		ArrivalP50      float64 `ch:"arrival_p50_ms"`
		ArrivalP95      float64 `ch:"arrival_p95_ms"`
		ArrivalP99      float64 `ch:"arrival_p99_ms"`
		ArrivalMax      int64   `ch:"arrival_max_ms"`
		ArrivalNegative uint64  `ch:"negative_arrivals"`
	}
	const percentiles = "latencies, round(mean_ms, 6) AS mean_ms, round(p50_ms, 6) AS p50_ms, round(p95_ms, 6) AS p95_ms, round(p99_ms, 6) AS p99_ms, round(p999_ms, 6) AS p999_ms, max_ms, negative_latencies, negative_ms"
	const arrival = ", arrivals, round(arrival_p50_ms, 6) AS arrival_p50_ms, round(arrival_p95_ms, 6) AS arrival_p95_ms, round(arrival_p99_ms, 6) AS arrival_p99_ms, arrival_max_ms, negative_arrivals"
	round := func(x float64) float64 { return math.Round(x*1e6) / 1e6 }
	for _, c := range []struct {
		view, columns string
		by            []query.Dimension
	}{
		{"windows", "window_start, tier, messages, bytes, no_time, malformed, out_of_bounds, partial, sources, originals, fingerprint, " + percentiles, nil},
		{"latency", "window_start, tier, datacenter, " + percentiles + arrival, []query.Dimension{query.ByDatacenter}},
	} {
		t.Run(c.view, func(t *testing.T) {
			var got, want []line
			must(t, admin(t).Select(t.Context(), &got, "SELECT "+c.columns+" FROM "+quoted(name)+"."+c.view+" WHERE topic = 'orders' ORDER BY window_start, tier"+map[bool]string{true: ", datacenter"}[c.by != nil]))
			for _, r := range query.Group(query.Windows{Topic: "orders", To: 1 << 40, By: c.by}, slices.Values(written)) {
				l := line{
					Start: r.Start, Tier: r.Tier, DC: r.Datacenter, Latencies: r.Latency.Count(), Mean: round(r.Latency.Mean()),
					P50: round(r.Latency.Quantile(0.5)), P95: round(r.Latency.Quantile(0.95)), P99: round(r.Latency.Quantile(0.99)), P999: round(r.Latency.Quantile(0.999)),
					Max: r.Latency.Max, Negative: r.Latency.Negative, NegativeMax: r.Latency.NegativeMax,
				}
				if c.by == nil {
					l.Messages, l.Bytes, l.NoTime, l.Malformed, l.OutOfBounds = r.Count, r.Bytes, r.NoTime, r.Malformed, r.OutOfBounds
					l.Partial, l.Sources, l.Originals, l.Fingerprint = r.Partial, uint64(r.Sources), uint64(r.Originals), r.Fingerprint
				}
				if a := &r.Arrival; c.by != nil {
					l.Arrivals, l.ArrivalMax, l.ArrivalNegative = a.Count(), a.Max, a.Negative
					l.ArrivalP50, l.ArrivalP95, l.ArrivalP99 = round(a.Quantile(0.5)), round(a.Quantile(0.95)), round(a.Quantile(0.99))
				}
				want = append(want, l)
			}
			if len(want) < 6 || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// Nothing of a record is lost on its way into the tables.
func TestEveryFieldHasItsColumn(t *testing.T) {
	name := freshName(t)
	s := open(t, clickhouse.Options{Database: name})
	defer s.Close()
	mean := 2.5
	full := &audit.Record{
		Kind: audit.KindWindow,
		Identity: audit.Identity{
			Tier: "a", Datacenter: "b", Cluster: "c", Topic: "d", TopicID: audit.TopicID{1}, Partition: 2, Instance: "e",
			Window: audit.Window{Start: 1795285200, Size: 600}, Generation: 3, Segment: 4,
		},
		Physical: "west.d", Version: 5, Base: 3, Owner: "f", Host: "g",
		Tally: &audit.WindowTally{
			Tally: audit.Tally{Count: 6, Bytes: 7, NoTime: 8, Malformed: 9, OutOfBounds: 10, Fingerprint: 11, PowerSums: audit.PowerSums{1, 2, 3, 4, 5, 6, 7}, Moments: audit.PowerSums{7, 6, 5, 4, 3, 2, 1}},
			First: 12, Last: 13, Partial: true, GenerationStart: 14, Codec: "h", TimeBasis: "i", LatencyBasis: "j", Digest: "k", FingerprintMode: "l",
			Arrival: &audit.Latency{Sum: 15, Max: 16, Negative: 17, NegativeMax: 18}, Sketch: []byte("m"), SketchMode: "n",
		},
		Client:   &audit.ClientCount{Attempts: 19, Successes: 20, Failures: 21, Started: 22, Records: 23, Uncounted: 32, Every: 33},
		Original: &audit.OriginalCount{UUID: "o", MeanLatency: &mean},
	}
	full.Tally.Latency = audit.Latency{Sum: 24, Max: 25, Negative: 26, NegativeMax: 27}
	full.Tally.Latency.Bins.Put(28, 29)
	full.Tally.Arrival.Bins.Put(30, 31)
	event := &audit.Record{
		Kind: audit.KindProgress, Identity: audit.Identity{Tier: "a", Topic: "d", Partition: audit.NoPartition}, Version: 1, Owner: "f",
		Progress: &audit.Progress{AskedAfter: 2, Partitions: 3, Sources: []audit.SourceProgress{
			{Partition: 1, Generation: 2, Base: 3, Segment: 4, Start: 5, Next: 6, Total: 7, Time: 8, LogStart: 9, End: 10, HighWatermark: 11, CaughtUp: audit.CaughtUpYes},
		}},
	}
	gone := &audit.Record{
		Kind: audit.KindMissed, Identity: audit.Identity{Topic: "d"},
		Missed: &audit.Missed{From: 1, To: 2, Reason: audit.MissedRetention, Since: 3, Until: 4},
	}
	must(t, s.Write(t.Context(), []*audit.Record{full, event, gone}))
	db := quoted(name) + "."
	for _, c := range []struct{ sql, want string }{
		{"SELECT toString(tuple(* EXCEPT written_at)) FROM " + db + "audit",
			"('d','2026-11-21 18:20:00',1795285200,600,'a','b','c','AQAAAAAAAAAAAAAAAAAAAA',2,'e',3,4,'o',5,3,'f','g','west.d'," +
				"6,7,8,9,10,{28:29},24,25,26,27,11,[1,2,3,4,5,6,7],[7,6,5,4,3,2,1],'l',12,13,true,14,'h','i','j','k',true,{30:31},15,16,17,18,'m','n',19,20,21,22,23,32,33,2.5,NULL,NULL,NULL,'')"},
		{"SELECT toString(tuple(* EXCEPT written_at)) FROM " + db + "audit_events FINAL WHERE kind = 'progress'",
			"('progress','d','a','','','',-1,'',0,0,'f',1,0,'f','','',2,3,[1],[2],[3],[4],[5],[6],[7],[8],[9],[10],[11],['yes'],0,0,'',0,0,0,0,0,0,0,0,0,'')"},
		{"SELECT toString((missed_from, missed_to, missed_reason, missed_since, missed_until, writer)) FROM " + db + "audit_events FINAL WHERE kind = 'missed'",
			"(1,2,'retention',3,4,'')"},
	} {
		if got := text(t, c.sql); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
		}
	}
}
