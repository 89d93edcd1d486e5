// Package webhook posts notifications as JSON to an address of one's own.
package webhook

import (
	"context"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/query"
)

// A Message is the body of a request.
type Message struct {
	ID      string          `json:"id"`    // the same in a repeat; in the header Idempotency-Key too
	Event   alerts.Event    `json:"event"` // firing, resolved or test
	Alert   query.Alert     `json:"alert"`
	Members []alerts.Member `json:"members"` // at most 20 topics
	URL     string          `json:"url,omitempty"`
}

// New makes a notifier.
func New(o notify.HTTP) (notify.Notifier, error) {
	p, err := notify.NewPoster(o)
	if err != nil {
		return nil, err
	}
	return &notifier{p}, nil
}

type notifier struct{ *notify.Poster }

func (n *notifier) Notify(ctx context.Context, x *alerts.Notification) error {
	_, err := n.Post(ctx, Message{ID: x.ID, Event: x.Event, Alert: x.Alert, Members: x.Members, URL: x.URL}, map[string]string{"Idempotency-Key": x.ID})
	return err
}
