package clickhouse_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks/clickhouse"
	"github.com/chaperone-audit/chaperone/sinks/sinktest"
)

// judgedAtRandom gives versions of verdicts, in the order in which they are written, and
// the newest of each window.
func judgedAtRandom(rng *rand.Rand) (written []*compare.Verdict, newest map[string]*compare.Verdict) {
	newest = map[string]*compare.Verdict{}
	for range 600 {
		v := sinktest.Verdict(fmt.Sprint("topic-", rng.IntN(3)), 600*rng.Int64N(80), rng.Int64N(7))
		if rng.IntN(9) == 0 {
			v.Pipeline = ""
			v.Version += 7 // another verdict
		}
		written = append(written, v)
		if old := newest[v.Key()]; old == nil || v.Version > old.Version {
			newest[v.Key()] = v
		}
	}
	return written, newest
}

type completenessRow struct {
	Topic    string     `ch:"topic"`
	Start    int64      `ch:"window_start"`
	Pipeline string     `ch:"pipeline"`
	State    string     `ch:"state"`
	Verdict  string     `ch:"verdict"`
	Gravity  uint8      `ch:"gravity"`
	Complete bool       `ch:"complete"`
	Ratio    float64    `ch:"ratio"`
	First    uint64     `ch:"first_messages"`
	Last     uint64     `ch:"last_messages"`
	Final    *time.Time `ch:"final_at"`
	Judged   time.Time  `ch:"judged_at"`
}

func completenessOf(v *compare.Verdict) completenessRow {
	r := completenessRow{
		Topic: v.Topic, Start: v.Start, Pipeline: v.Pipeline, State: string(v.State), Verdict: string(v.Kind), Gravity: uint8(v.Kind.Gravity()),
		Complete: v.Kind == compare.Complete && v.State.Settled(), Ratio: v.Ratio(), First: v.Tiers[0].Messages, Last: v.Tiers[len(v.Tiers)-1].Messages,
		Judged: time.UnixMilli(v.Judged).UTC(),
	}
	if v.Final != 0 {
		at := time.UnixMilli(v.Final).UTC()
		r.Final = &at
	}
	return r
}

type lossRow struct {
	Topic        string `ch:"topic"`
	Start        int64  `ch:"window_start"`
	Pipeline     string `ch:"pipeline"`
	From         string `ch:"from_tier"`
	To           string `ch:"to_tier"`
	FromMessages uint64 `ch:"from_messages"`
	ToMessages   uint64 `ch:"to_messages"`
	Missing      uint64 `ch:"missing"`
	Duplicated   uint64 `ch:"duplicated"`
	Altered      uint64 `ch:"altered"`
	Late         uint64 `ch:"late"`
	Explained    uint64 `ch:"explained"`
	Bounded      bool   `ch:"bounded"`
	Unknown      string `ch:"unknown"`
	State        string `ch:"state"`
	Verdict      string `ch:"verdict"`
}

// lossesOf says for each pair of tiers what the findings say.
func lossesOf(v *compare.Verdict) (rows []lossRow) {
	if v.Pipeline == "" {
		return nil
	}
	for i := 1; i < len(v.Tiers); i++ {
		from, to := v.Tiers[i-1], v.Tiers[i]
		r := lossRow{Topic: v.Topic, Start: v.Start, Pipeline: v.Pipeline, From: from.Tier, To: to.Tier, FromMessages: from.Messages, ToMessages: to.Messages, State: string(v.State), Verdict: string(v.Kind)}
		unknown := map[string]bool{}
		for _, f := range v.Findings {
			between, alone := f.From == from.Tier && f.To == to.Tier, f.From == ""
			if between && f.Explained {
				r.Explained += f.Messages
				continue
			}
			r.Bounded = r.Bounded || between && f.Bound != compare.Exactly
			switch {
			case f.Kind == compare.Missing && between:
				r.Missing += f.Messages
			case f.Kind == compare.Duplicated && between:
				r.Duplicated += f.Messages
			case f.Kind == compare.Altered && between:
				r.Altered += f.Messages
			case f.Kind == compare.Late && (between || alone && f.To == to.Tier):
				r.Late += f.Messages
			case f.Kind == compare.Unknown && (between || alone && (f.To == from.Tier || f.To == to.Tier)):
				unknown[string(f.Reason)] = true
			}
		}
		var reasons []string
		for reason := range unknown {
			reasons = append(reasons, reason)
		}
		slices.Sort(reasons)
		r.Unknown = strings.Join(reasons, ", ")
		rows = append(rows, r)
	}
	return rows
}

// What people read in the views is what compare says of the newest verdicts.
func TestViewsSayWhatVerdictsSay(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	written, newest := judgedAtRandom(rand.New(rand.NewPCG(seed, 0)))
	name := freshName(t)
	s := open(t, clickhouse.Options{Database: name})
	defer s.Close()
	for part := range slices.Chunk(written, 150) {
		must(t, s.WriteVerdicts(t.Context(), part))
	}
	must(t, s.WriteVerdicts(t.Context(), written[:200]))

	var verdicts []*compare.Verdict
	for _, v := range newest {
		verdicts = append(verdicts, v)
	}
	slices.SortFunc(verdicts, query.CompareVerdicts)
	var complete []completenessRow
	var losses []lossRow
	for _, v := range verdicts {
		complete = append(complete, completenessOf(v))
		losses = append(losses, lossesOf(v)...)
	}
	slices.SortStableFunc(losses, func(a, b lossRow) int {
		if a.Topic == b.Topic && a.Start == b.Start {
			return strings.Compare(a.From, b.From)
		}
		return 0
	})
	agree(t, "completeness", name, "topic, window_start", complete)
	agree(t, "loss", name, "topic, window_start, from_tier", losses)
}

// agree reads the columns of a view that a row has, and compares.
func agree[T any](t *testing.T, view, database, order string, want []T) {
	t.Helper()
	var columns []string
	for i := range reflect.TypeFor[T]().NumField() {
		columns = append(columns, reflect.TypeFor[T]().Field(i).Tag.Get("ch"))
	}
	var got []T
	must(t, admin(t).Select(t.Context(), &got, "SELECT "+strings.Join(columns, ", ")+" FROM "+quoted(database)+"."+view+" ORDER BY "+order))
	if len(got) != len(want) || len(want) < 100 {
		t.Fatalf("%s has %d rows, want %d", view, len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s\ngot  %+v\nwant %+v", view, got[i], want[i])
		}
	}
}

// People have written queries against it. New columns come behind the others.
func TestTheColumnsOfLatencyStay(t *testing.T) {
	name := freshName(t)
	must(t, open(t, clickhouse.Options{Database: name}).Close())
	got := text(t, "SELECT arrayStringConcat(groupArray(name || ' ' || type), ', ') FROM (SELECT name, type FROM system.columns WHERE database = '"+strings.ReplaceAll(name, "'", "\\'")+"' AND table = 'latency' ORDER BY position)")
	const want = "topic LowCardinality(String), window DateTime('UTC'), window_start Int64, window_size Int64, tier LowCardinality(String), datacenter LowCardinality(String), " +
		"latencies UInt64, mean_ms Float64, p50_ms Float64, p90_ms Float64, p95_ms Float64, p99_ms Float64, p999_ms Float64, max_ms Int64, negative_latencies UInt64, negative_ms Int64, " +
		"arrivals UInt64, arrival_p50_ms Float64, arrival_p95_ms Float64, arrival_p99_ms Float64, arrival_max_ms Int64, negative_arrivals UInt64"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Nothing of a verdict or an alert goes into the wrong column.
func TestEveryFieldOfVerdictsAndAlertsHasItsColumn(t *testing.T) {
	name := freshName(t)
	s := open(t, clickhouse.Options{Database: name})
	defer s.Close()
	must(t, s.WriteVerdicts(t.Context(), []*compare.Verdict{{
		Topic: "a", Start: 1795285200, Size: 600, Pipeline: "b", State: compare.Amended, Kind: compare.Missing, Judged: 1795285200001, Final: 1795285200002, Version: 3, Digest: "c",
		Tiers: []compare.Count{{
			Tier: "d", Messages: 10, Bytes: 5, NoTime: 6, Malformed: 7, OutOfBounds: 8, Attempts: 9, Failures: 11, Sources: 12, Counted: true, Fingerprint: "13",
			Datacenters: []compare.Datacenter{{Name: "e", Messages: 14}},
			Latency:     &compare.Percentiles{Count: 15, P50: 1.5, P95: 2.5, P99: 3.5, Max: 16, Negative: 17, NegativeMax: 18},
			Arrival:     &compare.Percentiles{Count: 19, P50: 4.5, P95: 5.5, P99: 6.5, Max: 20, Negative: 21, NegativeMax: 22},
		}, {Tier: "f"}},
		Findings: []compare.Finding{{Kind: compare.Missing, Reason: compare.Unnamed, From: "d", To: "f", Messages: 4, Bound: compare.AtLeast, IDs: []compare.MessageID{{ID: 23}, {ID: 24}}},
			{Kind: compare.Duplicated, Explained: true, Messages: 1, From: "d", To: "f"}},
		AtFinal: map[string]uint64{"d": 25},
	}}))
	must(t, s.WriteAlerts(t.Context(), []*query.Alert{{
		Key: "a", Rule: "b", Class: "c", Severity: query.Ticket, State: query.Resolved, Shadow: true, Muted: "d",
		Cause: query.Cause{Pipeline: "e", From: "f", To: "g", Subject: "h", Reason: "i", Cluster: "j", Datacenter: "k"},
		Since: 1795285200001, Fired: 1795285200002, Resolved: 1795285200003, Start: 1795285200, End: 1795285800,
		Topics: []string{"l", "m"}, Affected: 3, Windows: 4, Messages: 5, Bound: compare.AtMost, Summary: "n", Text: "o", Version: 6,
	}, {Key: "q"}}))
	db := quoted(name) + "."
	for _, c := range []struct{ sql, want string }{
		{"SELECT toString(tuple(* EXCEPT (json, written_at))) FROM " + db + "verdicts",
			"('a','2026-11-21 18:20:00',1795285200,600,3,'b','amended','missing',0.6,'2026-11-21 18:20:00.001','2026-11-21 18:20:00.002','c'," +
				"['d','f'],[10,0],[5,0],[6,0],[7,0],[8,0],[9,0],[11,0],[12,0],[true,false],['13',''],[{'e':14},{}]," +
				"[15,0],[1.5,0],[2.5,0],[3.5,0],[16,0],[17,0],[18,0],[19,0],[4.5,0],[5.5,0],[6.5,0],[20,0],[21,0],[22,0]," +
				"['missing','duplicated'],['unnamed',''],['d','d'],['f','f'],[4,1],['at_least',''],[false,true],[[23,24],[]]," +
				"['at least 4 messages passed d and are missing at f; more messages differ than can be told apart, so that others may be missing, altered or too many as well','1 message too many is at f, counted against d; that is expected'],{'d':25})"},
		{"SELECT toString(tuple(* EXCEPT (json, written_at))) FROM " + db + "alert_events WHERE key = 'a'",
			"('a','resolved',6,'b','c','ticket',true,'d','e','f','g','h','i','j','k','2026-11-21 18:20:00.001','2026-11-21 18:20:00.002','2026-11-21 18:20:00.003'," +
				"'2026-11-21 18:20:00','2026-11-21 18:30:00',['l','m'],3,4,5,'at_most','n','o')"},
		{"SELECT toString((fired_at, resolved_at, first_window, windows_end, topics)) FROM " + db + "alerts WHERE key = 'q'", "(NULL,NULL,NULL,NULL,[])"},
	} {
		if got := text(t, c.sql); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.sql, got, c.want)
		}
	}
}

func TestVerdictsLiveAsLongAsRecords(t *testing.T) {
	name := freshName(t)
	now := time.Now().Unix() / 600 * 600
	batch := []*compare.Verdict{sinktest.Verdict("orders", now, 1), sinktest.Verdict("orders", now-3*86400, 1)}
	held := func(s *clickhouse.Sink) int {
		must(t, admin(t).Exec(t.Context(), "OPTIMIZE TABLE "+quoted(name)+".verdicts FINAL"))
		list, err := s.Verdicts(t.Context(), query.Verdicts{To: 1 << 40})
		must(t, err)
		return len(list)
	}
	s := open(t, clickhouse.Options{Database: name})
	must(t, s.WriteVerdicts(t.Context(), batch))
	if n := held(s); n != 2 {
		t.Errorf("without a time to live: %d", n)
	}
	must(t, s.Close())
	s = open(t, clickhouse.Options{Database: name, TTL: 2 * 24 * time.Hour})
	defer s.Close()
	must(t, s.WriteVerdicts(t.Context(), batch))
	if n := held(s); n != 1 {
		t.Errorf("two days: %d", n)
	}
	must(t, s.WriteAlerts(t.Context(), []*query.Alert{{Key: "old and alive", Since: (now - 30*86400) * 1000}}))
	if list, err := s.Alerts(t.Context(), query.Alerts{}); err != nil || len(list) != 1 {
		t.Errorf("alerts: %v, %v", list, err)
	}
}
