// Package alertmanager tells Prometheus' Alertmanager, by its API v2.
//
// Alertmanager knows an alert by its labels, so those have only what stays the same while
// the alert lives; what may change are annotations. To say the same again changes
// nothing there.
package alertmanager

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
)

// endAfter is when Alertmanager takes an alert for over of which it hears nothing more:
// longer than it takes until it is told again.
const endAfter = 25 * time.Hour

// New makes a notifier for an instance, such as http://host:9093. Of a cluster each
// instance needs one.
func New(o notify.HTTP) (notify.Notifier, error) {
	o.URL = strings.TrimSuffix(o.URL, "/") + "/api/v2/alerts"
	p, err := notify.NewPoster(o)
	if err != nil {
		return nil, err
	}
	return &notifier{Poster: p, now: time.Now}, nil
}

type notifier struct {
	*notify.Poster
	now func() time.Time
}

// alert is a postableAlert of the API.
type alert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     string            `json:"startsAt"`
	EndsAt       string            `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL,omitempty"`
}

func (n *notifier) Notify(ctx context.Context, x *alerts.Notification) error {
	a := &x.Alert
	end := n.now().Add(endAfter)
	switch x.Event {
	case alerts.Ended:
		end = n.now()
	case alerts.Test:
		end = n.now().Add(5 * time.Minute)
	}
	start := time.UnixMilli(a.Since)
	if x.Event == alerts.Test {
		start = n.now()
	}
	out := alert{
		Labels: some(map[string]string{"alertname": a.Rule, "alert": a.Key, "severity": string(a.Severity), "class": a.Class, "service": "chaperone",
			"pipeline": a.Pipeline, "from_tier": a.From, "to_tier": a.To, "subject": a.Subject, "reason": string(a.Reason)}),
		Annotations: some(map[string]string{"summary": a.Summary, "description": a.Text, "topics": strings.Join(a.Topics, " "),
			"affected_topics": strconv.Itoa(a.Affected), "cluster": a.Cluster, "datacenter": a.Datacenter}),
		StartsAt: start.UTC().Format(time.RFC3339Nano), EndsAt: end.UTC().Format(time.RFC3339Nano), GeneratorURL: x.URL,
	}
	_, err := n.Post(ctx, []alert{out}, nil)
	return err
}

// some are those that are not empty: to Alertmanager an empty label is none.
func some(m map[string]string) map[string]string {
	for k, v := range m {
		if v == "" {
			delete(m, k)
		}
	}
	return m
}
