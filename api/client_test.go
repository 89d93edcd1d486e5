package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/api/client"
	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/query"
)

func mustClient(t *testing.T, h http.Handler) *client.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	c, err := client.New(server.URL, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestClientAsksEverything(t *testing.T) {
	w := fake()
	c, ctx := mustClient(t, w.server()), context.Background()
	partition := int32(0)

	if a, err := c.Topics(ctx, client.Span{From: now.Add(-48 * time.Hour), To: now}); err != nil || len(a.Topics) != 2 || a.Topics[1].Messages != 11 {
		t.Errorf("topics: %+v, %v", a, err)
	}
	q := client.Query{Span: client.Span{To: now}, Tier: "regional", Datacenter: "dc1", Cluster: "east", Partition: &partition, By: []string{"datacenter", "partition"}}
	if a, err := c.Windows(ctx, "orders", q); err != nil || len(a.Rows) != 2 || *a.Rows[0].Partition != 0 || *a.Rows[0].LastOffset != 107 {
		t.Errorf("windows: %+v, %v", a, err)
	}
	if a, err := c.Sources(ctx, "payments"); err != nil || len(a.Sources) != 1 || a.Sources[0].Next != 3 {
		t.Errorf("sources: %+v, %v", a, err)
	}
	if a, err := c.Instances(ctx, ""); err != nil || len(a.Instances) != 3 {
		t.Errorf("instances: %+v, %v", a, err)
	}
	if a, err := c.Instances(ctx, "orders", "silent", "ended"); err != nil || len(a.Instances) != 1 || a.Instances[0].Instance != "app-2" {
		t.Errorf("instances in states: %+v, %v", a, err)
	}
	if a, err := c.Missed(ctx, ""); err != nil || len(a.Missed) != 1 || a.Missed[0].Reason != "retention" {
		t.Errorf("missed: %+v, %v", a, err)
	}
	half := 0.5
	if a, err := c.Completeness(ctx, client.Completing{Topic: "orders", Span: client.Span{From: now.Add(-time.Hour), To: now.Add(-40 * time.Minute)}, Threshold: &half, Wait: time.Minute}); err != nil || !a.Complete || len(a.Topics[0].PerWindow) != 2 {
		t.Errorf("completeness: %+v, %v", a, err)
	}
	if a, err := c.Completeness(ctx, client.Completing{Pipeline: "main"}); err != nil || a.Complete || len(a.Topics) != 2 {
		t.Errorf("completeness of a pipeline: %+v, %v", a, err)
	}
	if a, err := c.Verdicts(ctx, client.Judged{Topic: "orders", Pipeline: "main", Verdicts: []string{"missing", "late"}}); err != nil || len(a.Verdicts) != 2 || a.Verdicts[0].Findings[0].Sentence == "" {
		t.Errorf("verdicts of a topic: %+v, %v", a, err)
	}
	if a, err := c.Verdicts(ctx, client.Judged{}); err != nil || len(a.Verdicts) != 5 {
		t.Errorf("verdicts: %+v, %v", a, err)
	}
	if a, err := c.Why(ctx, "orders", "2026-01-31T11:40:00Z"); err != nil || a.Verdict == nil || len(a.Tiers) != 3 || len(a.Sentences) == 0 {
		t.Errorf("why: %+v, %v", a, err)
	}
	if a, err := c.Records(ctx, "orders", client.Span{To: now}); err != nil || len(a.Records) != 4 || a.Records[0].UUID == "" {
		t.Errorf("records: %+v, %v", a, err)
	}
	if a, err := c.Index(ctx); err != nil || a.Version != "test" {
		t.Errorf("index: %+v, %v", a, err)
	}
	if a, err := c.AddTopic(ctx, "new"); err != nil || !a.New {
		t.Errorf("add topic: %+v, %v", a, err)
	}
	if a, err := c.Audited(ctx); err != nil || strings.Join(a.Topics, " ") != "legacy new orders payments" {
		t.Errorf("audited: %+v, %v", a, err)
	}
	if err := c.Ready(ctx); err != nil {
		t.Errorf("ready: %v", err)
	}
	w.health.Part("sink").Down("no brokers")
	if a, err := c.Health(ctx); err != nil || a.Status != "down" {
		t.Errorf("health: %+v, %v", a, err)
	}
}

func TestClientGivesProblems(t *testing.T) {
	w := fake()
	w.queryErr = query.ErrUnavailable
	_, err := mustClient(t, w.server()).Windows(context.Background(), "orders", client.Query{})
	if p, ok := errors.AsType[*v1.Problem](err); !ok || p.Code != v1.Unavailable || p.Hint() == "" {
		t.Errorf("got %v", err)
	}
}

func TestClientSaysWhenItIsNotChaperone(t *testing.T) {
	c := mustClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "bad gateway", 502) }))
	_, err := c.Audited(context.Background())
	if err == nil || !strings.Contains(err.Error(), "502") || !strings.Contains(err.Error(), "bad gateway") {
		t.Errorf("got %v", err)
	}
	for _, address := range []string{"", "localhost:9000", "ftp://x", "http://"} {
		if _, err := client.New(address, nil); err == nil {
			t.Errorf("%q is taken for an address", address)
		}
	}
}
