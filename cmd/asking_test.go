package cmd

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/api"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs/all"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/query"
)

// noon is when the scripts of testdata/asking are played.
var noon = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// heard is what a served chaperone knows: of orders, which lost a message at 11:20 and is
// behind since 11:40, and of payments, which is well.
type heard struct {
	records   []*audit.Record
	verdicts  []*compare.Verdict
	standings []*compare.Standing
	now       time.Time
}

func (h *heard) Windows(_ context.Context, q query.Windows) ([]query.Row, error) {
	return query.Group(q, slices.Values(h.records)), nil
}

func (h *heard) Topics(_ context.Context, from, to int64) ([]query.Topic, error) {
	return query.GroupTopics(from, to, slices.Values(h.records)), nil
}

func (h *heard) Records(_ context.Context, topic string, from, to int64) ([]*audit.Record, error) {
	return query.NewestRecords(topic, from, to, slices.Values(h.records)), nil
}

func (h *heard) Progress(_ context.Context, topic string) (list []query.Progress, err error) {
	for _, tier := range []string{"regional", "aggregate"} {
		list = append(list, query.Progress{Tier: tier, Datacenter: "dc1", Source: audit.Source{Cluster: tier, Topic: topic}, Host: "h1", AsOf: noon.Add(-5 * time.Second),
			SourceProgress: audit.SourceProgress{Next: 51, End: 51, HighWatermark: 51, CaughtUp: audit.CaughtUpYes}})
	}
	return list, nil
}

func (h *heard) Instances(context.Context, string) ([]query.Instance, error) { return nil, nil }
func (h *heard) Missed(context.Context, string) ([]query.Missed, error)      { return nil, nil }

func (h *heard) Verdicts(_ context.Context, q query.Verdicts) (list []*compare.Verdict, err error) {
	for _, v := range h.verdicts {
		if (q.Topic == "" || v.Topic == q.Topic) && v.Start >= q.From && v.Start < q.To && q.Wanted(v.Kind, v.Pipeline) {
			list = append(list, v)
		}
	}
	return list, nil
}

func (h *heard) Standings(_ context.Context, topic string) (list []*compare.Standing, err error) {
	for _, s := range h.standings {
		if topic == "" || s.Topic == topic {
			list = append(list, s)
		}
	}
	return list, nil
}

func (h *heard) Alerts(_ context.Context, q query.Alerts) (list []*query.Alert, err error) {
	at := noon.UnixMilli()
	for _, a := range []*query.Alert{
		{Key: "b", Rule: "normal-lag", Severity: query.Ticket, State: query.Pending, Shadow: true, Since: at - 600_000, Topics: []string{"orders"}, Summary: "not counted at aggregate: orders", Text: "orders: aggregate has not been counted for 19m\n  chaperone why orders 2026-01-31T11:40:00Z"},
		{Key: "a", Rule: "normal-missing", Severity: query.Ticket, State: query.Firing, Muted: "upgrade", Since: at - 90_000_000, Topics: []string{"orders"}, Summary: "1 message missing from regional to aggregate: orders", Text: "orders: 1 message"},
	} {
		if q.Wants(a) {
			list = append(list, a)
		}
	}
	return list, nil
}

func hear() *heard {
	h := &heard{now: noon}
	at := func(hour, minute int) int64 { return time.Date(2026, 1, 31, hour, minute, 0, 0, time.UTC).Unix() }
	window := func(topic string, start int64, regional, aggregate uint64, state compare.State, findings ...compare.Finding) {
		v := &compare.Verdict{Topic: topic, Start: start, Size: 600, Pipeline: "main", State: state, Kind: compare.Gravest(findings), Findings: findings,
			Judged: (start + 722) * 1000, Version: 40, Digest: "0a1b2c3d"}
		for _, c := range []compare.Count{{Tier: "regional", Messages: regional}, {Tier: "aggregate", Messages: aggregate}} {
			r := &audit.Record{Kind: audit.KindWindow, Version: 50, Owner: "o1", Host: "h1",
				Identity: audit.Identity{Tier: c.Tier, Datacenter: "dc1", Cluster: c.Tier, Topic: topic, Window: v.Window()},
				Tally:    &audit.WindowTally{First: 10, Last: 50, FingerprintMode: audit.FingerprintMode}}
			for i := range c.Messages {
				r.Tally.Add(&audit.Event{Bytes: 100, Hash: 1000003 * (i + 1)})
			}
			h.records = append(h.records, r)
			c.Bytes, c.Sources, c.Counted = 100*c.Messages, 1, true
			if c.Messages > 0 {
				c.Fingerprint = compare.MessageID{ID: r.Tally.Fingerprint}.String()
			}
			v.Tiers = append(v.Tiers, c)
		}
		h.verdicts = append(h.verdicts, v)
	}
	partition := int32(0)
	window("orders", at(11, 20), 10, 9, compare.Final, compare.Finding{Kind: compare.Missing, From: "regional", To: "aggregate", Messages: 1, IDs: []compare.MessageID{{ID: 10000030, Times: -1}},
		Places: []compare.Place{{Datacenter: "dc1", Cluster: "regional", Partition: &partition, Messages: 1, First: 10, Last: 50}}})
	window("orders", at(11, 30), 4, 4, compare.Final)
	window("orders", at(11, 40), 7, 0, compare.Provisional, compare.Finding{Kind: compare.Late, Reason: compare.Behind, From: "regional", To: "aggregate", Messages: 7})
	window("payments", at(11, 30), 2, 2, compare.Final)
	reach := func(tier string, until int64) compare.Reach {
		return compare.Reach{Tier: tier, Until: until * 1000, Newest: at(11, 30)}
	}
	h.standings = []*compare.Standing{
		{Topic: "orders", Pipeline: "main", Size: 600, Since: at(10, 50), Until: at(11, 40), Tiers: []compare.Reach{reach("regional", at(11, 59)), reach("aggregate", at(11, 41))}, Judged: at(11, 59) * 1000},
		{Topic: "payments", Pipeline: "main", Size: 600, Since: at(10, 50), Until: at(11, 50), Tiers: []compare.Reach{reach("regional", at(11, 59)), reach("aggregate", at(11, 59))}, Judged: at(11, 59) * 1000},
	}
	return h
}

func (h *heard) server() *api.Server {
	return api.New(api.Options{Query: h, Sources: h, Judged: h, Records: h, Alerts: h, Health: &health.Registry{}, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return h.now }})
}

// asked is a program whose commands ask a server.
func asked(t *testing.T, h http.Handler) program {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return program{env: []string{urlEnv + "=" + s.URL}, codecs: all.Builders(), now: func() time.Time { return noon }}
}

func TestAskingScripts(t *testing.T) {
	runScripts(t, "testdata/asking/*.txt", asked(t, hear().server()))
}

func TestWaitGoesOnWhileNobodyAnswers(t *testing.T) {
	n, server := atomic.Int64{}, hear().server()
	p := asked(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			http.Error(w, "bad gateway", http.StatusBadGateway)
			return
		}
		server.ServeHTTP(w, r)
	}))
	var out, errs bytes.Buffer
	if status := p.execute(t.Context(), []string{"wait", "--topic", "payments", "--until", "11:50"}, &out, &errs); status != 0 || n.Load() != 2 {
		t.Errorf("status %d after %d questions: %s%s", status, n.Load(), out.String(), errs.String())
	}
}

func TestWaitEndsWhenItBecomesComplete(t *testing.T) {
	h := hear()
	server := h.server()
	n := atomic.Int64{}
	p := asked(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 2 {
			h.standings[1].Until = noon.Unix()
		}
		q := r.URL.Query()
		q.Set("wait", "10ms")
		r.URL.RawQuery = q.Encode()
		server.ServeHTTP(w, r)
	}))
	var out, errs bytes.Buffer
	if status := p.execute(t.Context(), []string{"wait", "--topic", "payments", "--until", "12:00"}, &out, &errs); status != 0 || n.Load() != 2 {
		t.Errorf("status %d after %d questions: %s%s", status, n.Load(), out.String(), errs.String())
	}
}

func TestWhatIsCertifiedIsChecked(t *testing.T) {
	h := hear()
	for _, s := range h.standings { // known since the day before, and settled
		s.Since, s.Until = noon.Add(-36*time.Hour).Unix(), noon.Add(36*time.Hour).Unix()
	}
	h.now = noon.Add(24 * time.Hour)
	p := asked(t, h.server())
	certify := func(args ...string) (status int, out string) {
		t.Helper()
		var b bytes.Buffer
		status = p.execute(t.Context(), append([]string{"certify"}, args...), &b, &b)
		return status, b.String()
	}
	file := filepath.Join(t.TempDir(), "orders.json")
	if status, out := certify("payments", "2026-01-31", "--out", file); status != 0 || !strings.Contains(out, "144 windows, 2 records, sha256:") {
		t.Fatalf("status %d: %s", status, out)
	}
	if status, out := certify("--check", file); status != 0 || !strings.Contains(out, "the statement holds: payments from 2026-01-31T00:00:00Z to 2026-02-01T00:00:00Z was complete; 144 windows follow from 2 records") {
		t.Errorf("status %d: %s", status, out)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(b, []byte(`"count": 2`), []byte(`"count": 3`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out := certify("--check", file); status != exitFailed || !strings.Contains(out, "something was changed") || !strings.Contains(out, "add up to 3 messages") {
		t.Errorf("status %d: %s", status, out)
	}
	if status, out := certify("orders", "today"); status != exitNotYet || !strings.Contains(out, `"statement": "chaperone/statement/1"`) || !strings.Contains(out, "2 of 144 windows are not, the first: window 2026-01-31T11:20:00Z is final, and its verdict is missing: 1 message passed") {
		t.Errorf("status %d: %s", status, out)
	}
	h.verdicts[3].Tiers[0].Messages++ // the verdict of payments
	if status, out := certify("payments", "today"); status != exitFailed || !strings.Contains(out, "do not follow from the records") {
		t.Errorf("status %d: %s", status, out)
	}
}
