package app_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/alerts/notify/webhook"
	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/query"
)

// judged says that five messages of orders are missing, since ten minutes ago.
type judged struct{}

func (judged) Verdicts(_ context.Context, q query.Verdicts) ([]*compare.Verdict, error) {
	now := time.Now()
	start := now.Unix()/600*600 - 600
	if start < q.From || start >= q.To {
		return nil, nil
	}
	return []*compare.Verdict{{Topic: "orders", Start: start, Size: 600, Pipeline: "main", State: compare.Final, Final: (start + 600) * 1000, Judged: now.UnixMilli(), Kind: compare.Missing,
		Findings: []compare.Finding{{Kind: compare.Missing, From: "regional", To: "aggregate", Messages: 5}}, Tiers: []compare.Count{{Tier: "regional", Messages: 100}, {Tier: "aggregate", Messages: 95}}}}, nil
}

func (judged) Standings(context.Context, string) ([]*compare.Standing, error) {
	return []*compare.Standing{{Topic: "orders", Size: 600, Judged: time.Now().UnixMilli()}}, nil
}

// A whole instance finds what is missing, tells a receiver, and says it on its topic.
func TestWhatIsMissingIsTold(t *testing.T) {
	told := make(chan webhook.Message, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m webhook.Message
		if err := json.NewDecoder(r.Body).Decode(&m); err == nil {
			told <- m
		}
	}))
	defer receiver.Close()
	cluster := kafkatest.Kfake(t)
	d := deployWith(t, cluster, func(c *config.Config) {
		c.Store.Kind = config.Memory
		c.Alerts.Mode, c.Alerts.Wait = "on", 0
		c.Alerts.Notifiers = []config.Notifier{{Name: "oncall", Kind: "webhook", URL: config.Secret(receiver.URL)}}
	})
	var m webhook.Message
	select {
	case m = <-told:
	case <-time.After(time.Minute):
		t.Fatal("nobody was told")
	}
	if m.Alert.Rule != "normal-missing" || m.Alert.Messages != 5 || m.Event != "firing" {
		t.Errorf("got %+v", m)
	}
	deadline := time.Now().Add(30 * time.Second)
	for stored := 0; stored == 0; time.Sleep(100 * time.Millisecond) {
		a, err := d.rest.Alerts(t.Context(), client.AlertQuery{State: "firing"})
		if err == nil {
			stored = len(a.Alerts)
		}
		if time.Now().After(deadline) {
			t.Fatalf("REST knows of no alert: %v", err)
		}
	}
	consumer, err := sarama.NewConsumer(cluster.Brokers(), nil)
	must(t, err)
	defer consumer.Close()
	pc, err := consumer.ConsumePartition(string(d.app.Topology().AlertsTopic()), 0, sarama.OffsetOldest)
	must(t, err)
	defer pc.Close()
	select {
	case r := <-pc.Messages():
		var a query.Alert
		must(t, json.Unmarshal(r.Value, &a))
		if a.Key != m.Alert.Key || a.Version > m.Alert.Version {
			t.Errorf("the topic says %+v, the receiver was told %+v", a, m.Alert)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("nothing is on the topic of alert events")
	}
}
