// Package notify has what all notifiers share; each of those has a package below, named
// after the system that it talks to.
//
// A notifier may be told the same twice, after a restart in between, and passes the
// notification's ID or the alert's key on, by which the receiver drops the repeat. It
// does not try again by itself: who calls it does. What it is configured with may be
// secret, addresses too: no error has any of it.
package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
)

// A Notifier delivers notifications. Safe for concurrent use.
type Notifier interface {
	// Notify returns nil when the receiver has acknowledged the notification. A Failure
	// says what else is known.
	Notify(ctx context.Context, n *alerts.Notification) error
}

// A Failure is an attempt that did not succeed.
type Failure struct {
	Err   error
	After time.Duration // the receiver asks to be left alone for so long; 0: it does not say
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

// ErrRefused is wrapped by errors of receivers that do not want what they got: to say it
// again helps only when the configuration has changed.
var ErrRefused = errors.New("refused")

// Title is a line that says what has happened, and how bad it is.
func Title(n *alerts.Notification) string {
	a := &n.Alert
	switch n.Event {
	case alerts.Ended:
		return "resolved: " + a.Summary
	case alerts.Test:
		return "test: " + a.Summary
	}
	return fmt.Sprintf("%s: %s", a.Severity, a.Summary)
}
