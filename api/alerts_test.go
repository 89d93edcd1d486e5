package api_test

import (
	"context"
	"testing"

	"github.com/chaperone-audit/chaperone/api"
	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// Alerts of the world are always the same three.
func (w *world) Alerts(_ context.Context, q query.Alerts) (list []*query.Alert, err error) {
	at := now.UnixMilli()
	for _, a := range []*query.Alert{
		{Key: "critical-missing-1", Rule: "critical-missing", Class: "critical", Severity: query.Page, State: query.Firing,
			Cause: query.Cause{Pipeline: "main", From: "regional", To: "aggregate", Subject: "missing", Cluster: "east", Datacenter: "dc1"},
			Since: at - 600_000, Fired: at - 540_000, Start: now.Unix() - 1200, End: now.Unix() - 600, Topics: []string{"orders"}, Affected: 1, Windows: 1,
			Messages: 5, Bound: compare.AtLeast, Summary: "at least 5 messages missing", Text: "orders: regional 1000, aggregate 995", Version: 1},
		{Key: "normal-missing-1", Rule: "normal-missing", Class: "normal", Severity: query.Ticket, State: query.Resolved, Shadow: true, Muted: "upgrade",
			Cause: query.Cause{Subject: "missing"}, Since: at - 7_200_000, Resolved: at - 3_600_000, Topics: []string{"payments"}, Affected: 1},
		{Key: "audit-stalled-1", Rule: "audit-stalled", Class: "normal", Severity: query.Page, State: query.Resolved, Cause: query.Cause{Subject: "stalled"}, Since: at - 90_000_000, Resolved: at - 80_000_000},
	} {
		if q.Wants(a) && (q.Limit == 0 || len(list) < q.Limit) {
			list = append(list, a)
		}
	}
	return list, w.queryErr
}

func TestAlertsThatAreTooMany(t *testing.T) {
	s := fake().server(func(o *api.Options) { o.MaxRows = 1 })
	if rec := ask(s, "GET", "/api/v1/alerts", ""); rec.Code != 400 {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if rec := ask(fake().server(func(o *api.Options) { o.Alerts = nil }), "GET", "/api/v1/alerts", ""); rec.Code != 503 {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
	if rec := ask(fake().server(), "GET", "/api/v1/alerts?state=loud", ""); rec.Code != 400 {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}

func TestTheClientListsAlerts(t *testing.T) {
	c := mustClient(t, fake().server())
	if a, err := c.Alerts(t.Context(), client.AlertQuery{Span: client.Span{To: now}, State: "firing", Rule: "critical-missing", Topic: "orders"}); err != nil || len(a.Alerts) != 1 || a.Alerts[0].Messages != 5 {
		t.Errorf("got %+v, %v", a, err)
	}
}
