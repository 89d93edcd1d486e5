// Package pagerduty tells PagerDuty, by its Events API v2. It knows an incident by the
// alert's key: what is said again joins the incident that is open.
package pagerduty

import (
	"context"
	"time"
	"unicode/utf8"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/query"
)

// DefaultURL is where events go; accounts in the EU have another one.
const DefaultURL = "https://events.pagerduty.com/v2/enqueue"

// mostSummary is the longest summary that PagerDuty takes, in characters.
const mostSummary = 1024

// New makes a notifier with the integration key of a service. An empty URL is DefaultURL.
func New(o notify.HTTP, key string) (notify.Notifier, error) {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	o.Secrets = append(o.Secrets, key)
	p, err := notify.NewPoster(o)
	if err != nil {
		return nil, err
	}
	return &notifier{p, key}, nil
}

type notifier struct {
	*notify.Poster
	key string
}

type event struct {
	RoutingKey  string   `json:"routing_key"`
	EventAction string   `json:"event_action"` // trigger or resolve
	DedupKey    string   `json:"dedup_key"`
	Client      string   `json:"client"`
	ClientURL   string   `json:"client_url,omitempty"`
	Payload     *payload `json:"payload,omitempty"`
}

type payload struct {
	Summary       string         `json:"summary"`
	Source        string         `json:"source"`
	Severity      string         `json:"severity"` // critical, error, warning, info
	Timestamp     string         `json:"timestamp"`
	Component     string         `json:"component,omitempty"`
	Group         string         `json:"group,omitempty"`
	Class         string         `json:"class,omitempty"`
	CustomDetails map[string]any `json:"custom_details"`
}

func (n *notifier) Notify(ctx context.Context, x *alerts.Notification) error {
	a := &x.Alert
	e := event{RoutingKey: n.key, EventAction: "trigger", DedupKey: a.Key, Client: "chaperone", ClientURL: x.URL}
	if x.Event == alerts.Ended {
		e.EventAction = "resolve"
	}
	e.Payload = &payload{
		Summary: cut(notify.Title(x), mostSummary), Source: source(a), Severity: severity(x), Timestamp: time.UnixMilli(a.Since).UTC().Format(time.RFC3339),
		Component: a.To, Group: a.Pipeline, Class: a.Subject,
		CustomDetails: map[string]any{"text": a.Text, "topics": a.Topics, "affected_topics": a.Affected, "windows": a.Windows, "messages": a.Messages, "rule": a.Rule, "id": x.ID},
	}
	_, err := n.Post(ctx, e, nil)
	return err
}

func source(a *query.Alert) string {
	for _, s := range []string{a.Cluster, a.Datacenter, a.To} {
		if s != "" {
			return s
		}
	}
	return "chaperone"
}

func severity(x *alerts.Notification) string {
	switch {
	case x.Event == alerts.Test:
		return "info"
	case x.Alert.Severity == query.Page:
		return "critical"
	case x.Alert.Severity == query.Ticket:
		return "warning"
	}
	return "info"
}

// cut shortens a text to so many characters.
func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
