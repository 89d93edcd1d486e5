package notify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/alerts/notify/alertmanager"
	"github.com/chaperone-audit/chaperone/alerts/notify/pagerduty"
	"github.com/chaperone-audit/chaperone/alerts/notify/shoutrrr"
	"github.com/chaperone-audit/chaperone/alerts/notify/slack"
	"github.com/chaperone-audit/chaperone/alerts/notify/webhook"
	"github.com/chaperone-audit/chaperone/query"
)

// a receiver keeps what it was posted, and answers.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []map[string]any
	heads  []http.Header
	paths  []string
}

func newReceiver(t testing.TB, status int) *receiver {
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var body any
		if err := json.NewDecoder(req.Body).Decode(&body); err != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/json" {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if list, ok := body.([]any); ok {
			body = list[0]
		}
		r.bodies = append(r.bodies, body.(map[string]any))
		r.heads, r.paths = append(r.heads, req.Header), append(r.paths, req.URL.Path)
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) last() map[string]any { return r.bodies[len(r.bodies)-1] }

func example(event alerts.Event) *alerts.Notification {
	p := alerts.Example("loss")
	p.Severity, p.Summary, p.Text = query.Page, "5 messages <missing> & more", "orders: 5 are missing\n  chaperone why orders 2026-01-31T10:00:00Z"
	if event == alerts.Ended {
		p.State = query.Resolved
	}
	return &alerts.Notification{ID: p.Key + "/1/x", Event: event, Alert: p.Alert, Members: p.Members, URL: "https://c.example/ui"}
}

func must(n notify.Notifier, err error) func(t testing.TB, x *alerts.Notification) {
	return func(t testing.TB, x *alerts.Notification) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Notify(context.Background(), x); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWebhook(t *testing.T) {
	r := newReceiver(t, http.StatusNoContent)
	tell := must(webhook.New(notify.HTTP{URL: r.URL + "/hook", Token: "tomato"}))
	tell(t, example(alerts.Fired))
	if r.heads[0].Get("Idempotency-Key") != "loss-test/1/x" || r.heads[0].Get("Authorization") != "Bearer tomato" || r.last()["id"] != "loss-test/1/x" || r.last()["event"] != "firing" {
		t.Errorf("got %v %v", r.heads[0], r.last())
	}
	if a := r.last()["alert"].(map[string]any); a["key"] != "loss-test" || a["from"] != "regional" || a["messages"] != 5.0 {
		t.Errorf("got %v", a)
	}
}

func TestAlertmanagerKnowsAnAlertByLabelsThatStay(t *testing.T) {
	r := newReceiver(t, http.StatusOK)
	tell := must(alertmanager.New(notify.HTTP{URL: r.URL + "/", User: "u", Password: "p"}))
	x := example(alerts.Fired)
	tell(t, x)
	labels := func() string { b, _ := json.Marshal(r.last()["labels"]); return string(b) }
	first := labels()
	end := func() time.Time { e, _ := time.Parse(time.RFC3339, r.last()["endsAt"].(string)); return e }
	if r.paths[0] != "/api/v2/alerts" || time.Until(end()) < 12*time.Hour || r.last()["startsAt"] != "2026-01-31T10:12:00Z" {
		t.Errorf("got %s %v", r.paths[0], r.last())
	}
	if u, p, _ := (&http.Request{Header: r.heads[0]}).BasicAuth(); u != "u" || p != "p" {
		t.Errorf("logged in as %q %q", u, p)
	}
	for _, want := range []string{`"alertname":"loss"`, `"severity":"page"`, `"to_tier":"aggregate"`, `"alert":"loss-test"`} {
		if !strings.Contains(first, want) {
			t.Errorf("%s lacks %s", first, want)
		}
	}
	x = example(alerts.Ended)
	x.Alert.Cluster, x.Alert.Topics, x.Alert.Affected, x.Alert.Messages, x.Alert.Summary = "", []string{"a", "b"}, 2, 9, "other"
	tell(t, x)
	if labels() != first || time.Until(end()) > time.Second {
		t.Errorf("what has changed makes another alert: %s, was %s; or it does not end: %s", labels(), first, end())
	}
}

func TestPagerDutyKnowsAnIncidentByItsKey(t *testing.T) {
	r := newReceiver(t, http.StatusAccepted)
	tell := must(pagerduty.New(notify.HTTP{URL: r.URL}, "tomato"))
	x := example(alerts.Fired)
	x.Alert.Summary = strings.Repeat("ä", 2000)
	tell(t, x)
	e := r.last()
	p := e["payload"].(map[string]any)
	if e["routing_key"] != "tomato" || e["event_action"] != "trigger" || e["dedup_key"] != "loss-test" || p["severity"] != "critical" || p["source"] != "east" || len([]rune(p["summary"].(string))) != 1024 {
		t.Errorf("got %v", e)
	}
	tell(t, example(alerts.Ended))
	if e := r.last(); e["event_action"] != "resolve" || e["dedup_key"] != "loss-test" {
		t.Errorf("got %v", e)
	}
	tell(t, example(alerts.Test))
	if e := r.last(); e["payload"].(map[string]any)["severity"] != "info" {
		t.Errorf("a test pages: %v", e)
	}
}

func TestSlackTakesTextAsItIs(t *testing.T) {
	r := newReceiver(t, http.StatusOK)
	tell := must(slack.New(notify.HTTP{URL: r.URL + "/services/T/B/tomato"}))
	x := example(alerts.Fired)
	x.Alert.Text += strings.Repeat("é", 4000)
	tell(t, x)
	a := r.last()["attachments"].([]any)[0].(map[string]any)
	if r.last()["text"] != "*page: 5 messages &lt;missing&gt; &amp; more*" || a["color"] != "danger" || len(a["text"].(string)) > 4000 || !strings.Contains(a["footer"].(string), x.ID) {
		t.Errorf("got %v", r.last())
	}
	tell(t, example(alerts.Ended))
	if a := r.last()["attachments"].([]any)[0].(map[string]any); a["color"] != "good" {
		t.Errorf("got %v", a)
	}
}

func TestShoutrrrTellsOthers(t *testing.T) {
	r := newReceiver(t, http.StatusOK)
	address := "generic+" + r.URL + "/tomato-path?template=json"
	tell := must(shoutrrr.New(address, time.Second))
	tell(t, example(alerts.Fired))
	if s, _ := r.last()["message"].(string); !strings.Contains(s, "chaperone why orders") {
		t.Errorf("got %v", r.last())
	}
	r.Close()
	n, err := shoutrrr.New(address, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(t.Context(), example(alerts.Fired)); err == nil || strings.Contains(err.Error(), "tomato") {
		t.Errorf("got %v", err)
	}
	for _, wrong := range []string{"nonesuch://tomato-secret@host/x", "slack://tomato-secret", "://tomato-secret"} {
		if _, err := shoutrrr.New(wrong, 0); err == nil || strings.Contains(err.Error(), "tomato-secret") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}
