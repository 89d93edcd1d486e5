package sinktest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// alert is the nth one, in some version: it has moved on by then.
func alert(n int, version int64) *query.Alert {
	rng := rand.New(rand.NewPCG(uint64(n), uint64(version)))
	a := &query.Alert{
		Key: fmt.Sprintf("loss/%d", n), Rule: fmt.Sprint("rule-", n%3), Class: "critical", Severity: query.Page, State: query.Pending, Shadow: n%5 == 0, Muted: []string{"", "maintenance"}[n%2],
		Cause: query.Cause{Pipeline: "p", From: "regional", To: "aggregate", Subject: "missing", Reason: compare.Behind, Cluster: "east", Datacenter: "dc1"},
		Since: int64(n/2) * 600_000, Start: 600, End: 1200, Topics: []string{"orders", fmt.Sprint("topic-", n%4)}, Affected: 2, Windows: int(version), Messages: rng.Uint64(), Bound: compare.AtLeast,
		Summary: "a 'line'", Text: "many\nlines, ü", Version: version,
	}
	if version > 2 {
		a.State, a.Fired = query.Firing, a.Since+60_000
	}
	if version > 4 {
		a.State, a.Resolved = query.Resolved, a.Since+1_200_000
	}
	return a
}

func (s *store) alert(batch ...*query.Alert) {
	s.t.Helper()
	s.alerted = append(s.alerted, batch...)
	if err := s.WriteAlerts(s.t.Context(), batch); err != nil {
		s.t.Fatalf("write alerts: %v", err)
	}
}

// alarmed compares the sink with what was written: the newest word of each alert.
func (s *store) alarmed(q query.Alerts) {
	s.t.Helper()
	newest := map[string]*query.Alert{}
	for _, a := range s.alerted {
		if old := newest[a.Key]; old == nil || a.Version > old.Version {
			newest[a.Key] = a
		}
	}
	var want []*query.Alert
	for _, a := range newest {
		if q.Wants(a) {
			want = append(want, a)
		}
	}
	slices.SortFunc(want, func(a, b *query.Alert) int {
		if a.Since == b.Since {
			return map[bool]int{true: -1, false: 1}[a.Key < b.Key]
		}
		return int(b.Since - a.Since)
	})
	if q.Limit > 0 {
		want = want[:min(len(want), q.Limit)]
	}
	got, err := s.Alerts(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("alerts of %+v: %v", q, err)
	}
	if g, w := asText(s.t, got), asText(s.t, want); g != w {
		s.t.Errorf("asked %+v\ngot\n%swant\n%s", q, g, w)
	}
}

func asText(t *testing.T, list []*query.Alert) (s string) {
	t.Helper()
	for _, a := range list {
		b, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		s += string(b) + "\n"
	}
	return s
}

func newestAlerts(_ *testing.T, s *store) {
	s.alarmed(query.Alerts{})
	s.alert()
	s.alert(alert(1, 1), alert(1, 3), alert(2, 2))
	s.alarmed(query.Alerts{})
	s.alert(alert(1, 6), alert(2, 2))
	s.alert(alert(1, 4), alert(1, 1), alert(2, 1)) // late
	s.alarmed(query.Alerts{})
	s.alert(&query.Alert{Key: "bare"}, &query.Alert{Key: "no topics", Topics: []string{}, Since: 5, Version: math.MaxInt64, Messages: math.MaxUint64, Affected: math.MaxInt32})
	s.alarmed(query.Alerts{})
}

func alertsAsAsked(_ *testing.T, s *store) {
	for n := range 30 {
		s.alert(alert(n, int64(n%7)))
		s.alert(alert(n, int64(n%6)))
	}
	for _, q := range []query.Alerts{
		{}, {Limit: 7}, {Rule: "rule-1"}, {Rule: "no such"}, {State: query.Firing}, {State: query.Pending, Rule: "rule-2", Topic: "orders"}, {Topic: "topic-3"},
		{From: 1200, To: 3600}, {From: 1201, To: 3601}, {From: 0, To: 600}, {From: 600, To: 600}, {From: 4000, To: 4_000_000, Limit: 3}, {From: -600, To: 6000, State: query.Resolved, Topic: "topic-1"},
	} {
		s.alarmed(q)
	}
}

func hollowAlerts(t *testing.T, s *store) {
	if err := s.WriteAlerts(t.Context(), []*query.Alert{alert(1, 1), {Summary: "of nothing"}}); !errors.Is(err, sinks.ErrRejected) {
		t.Errorf("write: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.WriteAlerts(ctx, []*query.Alert{alert(1, 1)}); !errors.Is(err, context.Canceled) || errors.Is(err, sinks.ErrRejected) {
		t.Errorf("write, cancelled: %v", err)
	}
	if _, err := s.Alerts(ctx, query.Alerts{}); !errors.Is(err, context.Canceled) {
		t.Errorf("alerts, cancelled: %v", err)
	}
}
