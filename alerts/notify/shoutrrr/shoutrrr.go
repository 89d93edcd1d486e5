// Package shoutrrr tells whom the library of this name can tell: Teams, Discord, Telegram,
// Matrix, Mattermost, Opsgenie, ntfy, Pushover and others, each by an address of its own
// kind (https://shoutrrr.nickfedor.com). None of them drops repeats.
package shoutrrr

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
)

// New makes a notifier for an address, which is secret. The zero timeout is 10 s.
func New(address string, timeout time.Duration) (notify.Notifier, error) {
	n := &notifier{secrets: secrets(address)}
	var err error
	if n.router, err = shoutrrr.CreateSender(address); err != nil {
		return nil, errors.New(notify.Clean(err.Error(), n.secrets...))
	}
	if n.router.Timeout = timeout; timeout == 0 {
		n.router.Timeout = 10 * time.Second
	}
	return n, nil
}

type notifier struct {
	router  *router.ServiceRouter
	secrets []string
}

func (n *notifier) Notify(ctx context.Context, x *alerts.Notification) error {
	title := notify.Title(x)
	results := n.router.SendAsync(title+"\n\n"+x.Alert.Text, &types.Params{"title": title})
	select {
	case err := <-results:
		if err != nil {
			return errors.New(notify.Clean(fmt.Sprint(err), n.secrets...))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err() // it ends by its own timeout
	}
}

// secrets are the parts of an address that may be: the library quotes it in errors, and
// what it makes of it.
func secrets(address string) []string {
	list := []string{address}
	u, err := url.Parse(address)
	if err != nil {
		_, rest, _ := strings.Cut(address, "://")
		return append(list, rest)
	}
	if p, ok := u.User.Password(); ok {
		list = append(list, p)
	}
	list = append(list, u.User.Username(), u.RawQuery, u.Host)
	for part := range strings.SplitSeq(u.Path, "/") {
		list = append(list, part)
	}
	for _, values := range u.Query() {
		list = append(list, values...)
	}
	return list
}
