package api_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/api"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// judged is what the judge has said, as a test wants it.
type judged struct {
	verdicts  []*compare.Verdict
	standings []*compare.Standing
	judgedErr error
	asked     int // for standings
	before    func(*judged)
}

func (j *judged) Verdicts(_ context.Context, q query.Verdicts) (list []*compare.Verdict, err error) {
	for _, v := range j.verdicts {
		if (q.Topic == "" || v.Topic == q.Topic) && v.Start >= q.From && v.Start < q.To && q.Wanted(v.Kind, v.Pipeline) {
			list = append(list, v)
		}
	}
	return list, j.judgedErr
}

func (j *judged) Standings(_ context.Context, topic string) (list []*compare.Standing, err error) {
	if j.asked++; j.before != nil {
		j.before(j)
	}
	for _, s := range j.standings {
		if topic == "" || s.Topic == topic {
			list = append(list, s)
		}
	}
	return list, j.judgedErr
}

// judgements are of three topics: one has lost messages and is not counted to the end,
// one is well, and of one nobody knows how far it is counted.
func judgements() (j judged) {
	partition := int32(1)
	at := now.Unix()
	reach := func(tier string, minutes int64) compare.Reach {
		return compare.Reach{Tier: tier, Until: (at - 60*minutes) * 1000, Newest: ten(20).Start}
	}
	verdict := func(topic string, minutes int64, from, to uint64, findings ...compare.Finding) *compare.Verdict {
		w := ten(minutes)
		v := &compare.Verdict{Topic: topic, Start: w.Start, Size: w.Size, Pipeline: "main", State: compare.Final, Kind: compare.Gravest(findings), Findings: findings,
			Tiers: []compare.Count{
				{Tier: "regional", Messages: from, Bytes: 100 * from, Sources: 2, Counted: true, Fingerprint: "123",
					Latency: &compare.Percentiles{Count: from, P50: 1.5, P95: 9, P99: 12, Max: 13}, Datacenters: []compare.Datacenter{{Name: "dc1", Messages: from}}},
				{Tier: "aggregate", Messages: to, Bytes: 100 * to, Sources: 1, Counted: true},
			},
			Judged: w.End()*1000 + 150_000, Final: w.End()*1000 + 150_000, Version: 1000 - minutes, Digest: "0a1b2c3d"}
		return v
	}
	missing := compare.Finding{Kind: compare.Missing, From: "regional", To: "aggregate", Messages: 2, IDs: []compare.MessageID{{ID: 1<<60 + 1, Times: -2}},
		Places: []compare.Place{{Datacenter: "dc1", Cluster: "east", Partition: &partition, Messages: 2, First: 100, Last: 107}}}
	arrived := compare.Finding{Kind: compare.Late, Reason: compare.Arrived, To: "aggregate", Messages: 1}
	amended := verdict("payments", 50, 5, 5, arrived)
	amended.State, amended.AtFinal = compare.Amended, map[string]uint64{"regional": 5, "aggregate": 4}
	provisional := verdict("orders", 20, 7, 2, compare.Finding{Kind: compare.Late, Reason: compare.Behind, From: "regional", To: "aggregate", Messages: 5})
	provisional.State, provisional.Final, provisional.Tiers[1].Counted = compare.Provisional, 0, false
	j.verdicts = []*compare.Verdict{
		verdict("legacy", 30, 3, 3, compare.Finding{Kind: compare.Unknown, Reason: compare.Unreported, To: "aggregate", Bound: compare.Unbounded}),
		verdict("orders", 60, 10, 8, missing), verdict("orders", 40, 10, 10), provisional, amended,
	}
	slow := reach("aggregate", 14)
	slow.Holds = []compare.Hold{{Reason: compare.OpenTx, Until: slow.Until, Place: compare.Place{Cluster: "all", Partition: &partition, First: -1, Last: -1}}}
	j.standings = []*compare.Standing{
		{Topic: "legacy", Pipeline: "main", Size: 600, Since: ten(60).Start, Tiers: []compare.Reach{reach("regional", 1), {Tier: "aggregate"}}, Judged: at*1000 - 20_000, Version: 1001, Digest: "0a1b2c3d"},
		{Topic: "orders", Pipeline: "main", Size: 600, Since: ten(90).Start, Until: ten(20).Start, Tiers: []compare.Reach{reach("regional", 1), slow}, Judged: at*1000 - 10_000, Version: 1000, Digest: "0a1b2c3d"},
		{Topic: "payments", Size: 600, Since: ten(90).Start, Until: ten(10).Start, Tiers: []compare.Reach{reach("regional", 1)}, Judged: at * 1000, Version: 1002, Digest: "0a1b2c3d"},
	}
	return j
}

func TestCompletenessIsWaitedFor(t *testing.T) {
	how := func(w *world, target string) (a v1.Completeness, took time.Duration) {
		t.Helper()
		begin := time.Now()
		rec := ask(w.server(), "GET", target, "")
		if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil || rec.Code != 200 {
			t.Fatalf("%d %v: %s", rec.Code, err, rec.Body)
		}
		return a, time.Since(begin)
	}
	const target = "/api/v1/completeness?topic=payments&from=2026-01-31T11:30:00Z&until=2026-01-31T12:00:00Z"
	t.Run("what is complete is answered at once", func(t *testing.T) {
		w := fake()
		w.standings[2].Until = now.Unix()
		if a, took := how(w, target+"&wait=1m"); !a.Complete || took > 10*time.Second {
			t.Errorf("%+v after %s", a, took)
		}
	})
	t.Run("what becomes complete, then", func(t *testing.T) {
		w := fake()
		w.before = func(j *judged) {
			if j.asked == 2 {
				j.standings[2].Until = now.Unix()
			}
		}
		if a, took := how(w, target+"&wait=1m"); !a.Complete || w.asked != 2 || took > 30*time.Second {
			t.Errorf("%+v after %s, asked %d times", a, took, w.asked)
		}
	})
	t.Run("what does not, at the end", func(t *testing.T) {
		w := fake()
		a, took := how(w, target+"&wait=700ms")
		if a.Complete || a.Topics[0].Held == nil || took < 700*time.Millisecond || w.asked < 2 {
			t.Errorf("%+v after %s, asked %d times", a, took, w.asked)
		}
	})
	t.Run("not beyond the one who asked", func(t *testing.T) {
		w := fake()
		s := w.server()
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		r := httptest.NewRequest("GET", target+"&wait=1m", nil).WithContext(ctx)
		begin := time.Now()
		s.ServeHTTP(httptest.NewRecorder(), r)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestVerdictsThatAreNotKeptAreNoProof(t *testing.T) {
	w := fake()
	s := w.server(func(o *api.Options) { o.JudgedSince = func() int64 { return ten(30).Start } })
	var a v1.Completeness
	if err := json.Unmarshal(ask(s, "GET", "/api/v1/completeness?topic=payments&from=2026-01-31T11:10:00Z&to=2026-01-31T11:40:00Z", "").Body.Bytes(), &a); err != nil {
		t.Fatal(err)
	}
	if a.Complete || !a.Topics[0].Until.Equal(a.From) || a.Topics[0].Held.Reason != "forgotten" {
		t.Errorf("got %+v", a)
	}
}
