// Package slack writes into a channel, through an incoming webhook. Slack does not drop
// repeats: after a crash in between a message may be there twice, with the same number.
package slack

import (
	"context"
	"fmt"
	"strings"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/query"
)

// mostText is how much of a text is shown, in bytes: Slack cuts what is longer.
const mostText = 3500

// New makes a notifier. The address of the webhook is its secret.
func New(o notify.HTTP) (notify.Notifier, error) {
	p, err := notify.NewPoster(o)
	if err != nil {
		return nil, err
	}
	return &notifier{p}, nil
}

type notifier struct{ *notify.Poster }

type message struct {
	Text        string       `json:"text"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	Color    string   `json:"color"`
	Text     string   `json:"text"`
	Fallback string   `json:"fallback"`
	Footer   string   `json:"footer"`
	MrkdwnIn []string `json:"mrkdwn_in"`
}

func (n *notifier) Notify(ctx context.Context, x *alerts.Notification) error {
	text := x.Alert.Text
	if len(text) > mostText {
		text = strings.ToValidUTF8(text[:mostText], "") + "…"
	}
	_, err := n.Post(ctx, message{
		Text: "*" + escape(notify.Title(x)) + "*",
		Attachments: []attachment{{Color: color(x), Text: "```" + escape(strings.ReplaceAll(text, "```", "'''")) + "```", Fallback: escape(x.Alert.Summary),
			Footer: fmt.Sprintf("chaperone %s", escape(x.ID)), MrkdwnIn: []string{"text"}}},
	}, nil)
	return err
}

func color(x *alerts.Notification) string {
	switch {
	case x.Event != alerts.Fired:
		return "good"
	case x.Alert.Severity == query.Page:
		return "danger"
	case x.Alert.Severity == query.Ticket:
		return "warning"
	}
	return "#808080"
}

// escape is what Slack asks for: anything else stays as it is.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}
