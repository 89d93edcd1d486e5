// Package email sends mail, by SMTP. Each notification has its ID as Message-ID, by which
// mailboxes drop repeats, and all of one alert are one thread.
package email

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
)

// How the connection is encrypted.
const (
	StartTLS = "starttls" // after it was opened
	TLS      = "tls"      // from its beginning
	Plain    = "none"     // not at all: then there is no password
)

// Options of a notifier.
type Options struct {
	Server         string // host:port
	Security       string // StartTLS if empty
	User, Password string
	From           string
	To             []string
	TLS            *tls.Config   // nil: as the system has it
	Timeout        time.Duration // of all of it; 30 s if zero
}

// New makes a notifier.
func New(o Options) (notify.Notifier, error) {
	n := &notifier{o: o, now: time.Now}
	var err error
	if n.host, _, err = net.SplitHostPort(o.Server); err != nil || n.host == "" {
		return nil, fmt.Errorf("server: %q must be host:port", o.Server)
	}
	if n.o.Security == "" {
		n.o.Security = StartTLS
	}
	if o.Password != "" && n.o.Security == Plain {
		return nil, errors.New("security: is none, and a password would be sent in clear; use starttls or tls")
	}
	if n.o.Timeout == 0 {
		n.o.Timeout = 30 * time.Second
	}
	if n.from, err = mail.ParseAddress(o.From); err != nil {
		return nil, fmt.Errorf("from: %q must be an address such as chaperone@example.com", o.From)
	}
	if len(o.To) == 0 {
		return nil, errors.New("to: is empty; name at least one address")
	}
	for i, to := range o.To {
		a, err := mail.ParseAddress(to)
		if err != nil {
			return nil, fmt.Errorf("to[%d]: %q must be an address such as oncall@example.com", i, to)
		}
		n.to = append(n.to, a)
	}
	return n, nil
}

type notifier struct {
	o    Options
	host string
	from *mail.Address
	to   []*mail.Address
	now  func() time.Time
}

func (n *notifier) Notify(ctx context.Context, x *alerts.Notification) error {
	ctx, cancel := context.WithTimeout(ctx, n.o.Timeout)
	defer cancel()
	conn, err := n.dial(ctx)
	if err != nil {
		return n.failure("connect", err)
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline)
	}
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()
	c, err := smtp.NewClient(conn, n.host)
	if err != nil {
		return n.failure("greet", err)
	}
	defer c.Close()
	if err := n.send(c, n.message(x)); err != nil {
		return err
	}
	_ = c.Quit() // it has been taken: the rest is manners
	return nil
}

func (n *notifier) dial(ctx context.Context) (net.Conn, error) {
	if n.o.Security == TLS {
		return (&tls.Dialer{Config: n.tls()}).DialContext(ctx, "tcp", n.o.Server)
	}
	return (&net.Dialer{}).DialContext(ctx, "tcp", n.o.Server)
}

func (n *notifier) tls() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if n.o.TLS != nil {
		c = n.o.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = n.host
	}
	return c
}

func (n *notifier) send(c *smtp.Client, message []byte) error {
	if n.o.Security == StartTLS {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return fmt.Errorf("%w: the server offers no STARTTLS; is security right?", notify.ErrRefused)
		}
		if err := c.StartTLS(n.tls()); err != nil {
			return n.failure("start TLS", err)
		}
	}
	if n.o.User != "" {
		if err := c.Auth(smtp.PlainAuth("", n.o.User, n.o.Password, n.host)); err != nil {
			return n.failure("log in", err)
		}
	}
	if err := c.Mail(n.from.Address); err != nil {
		return n.failure("from", err)
	}
	var refused error // one who has left must not keep the others from being told
	accepted := 0
	for _, to := range n.to {
		if err := c.Rcpt(to.Address); err != nil {
			refused = err
			continue
		}
		accepted++
	}
	if accepted == 0 {
		return n.failure("to", refused)
	}
	w, err := c.Data()
	if err != nil {
		return n.failure("data", err)
	}
	if _, err := w.Write(message); err != nil {
		return n.failure("data", err)
	}
	if err := w.Close(); err != nil {
		return n.failure("data", err)
	}
	return nil
}

// failure says what the server had against it, without the password. Codes of 500 and
// more are for good.
func (n *notifier) failure(at string, err error) error {
	text := errors.New(notify.Clean(fmt.Sprintf("%s: %v", at, err), n.o.Password))
	if code, ok := errors.AsType[*textproto.Error](err); ok && code.Code >= 500 {
		return fmt.Errorf("%w: %w", notify.ErrRefused, text)
	}
	return text
}

// message is the mail, headers and all.
func (n *notifier) message(x *alerts.Notification) []byte {
	var b bytes.Buffer
	header := func(name, value string) { fmt.Fprintf(&b, "%s: %s\r\n", name, oneLine(value)) }
	domain := n.from.Address[strings.LastIndexByte(n.from.Address, '@')+1:]
	var to []string
	for _, a := range n.to {
		to = append(to, a.String())
	}
	header("From", n.from.String())
	header("To", strings.Join(to, ", "))
	header("Subject", mime.QEncoding.Encode("utf-8", oneLine("[chaperone] "+notify.Title(x))))
	header("Date", n.now().Format(time.RFC1123Z))
	header("Message-ID", fmt.Sprintf("<%s@%s>", strings.ReplaceAll(x.ID, "/", "."), domain))
	header("References", fmt.Sprintf("<%s@%s>", x.Alert.Key, domain))
	header("X-Chaperone-Alert", x.Alert.Key)
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	q := quotedprintable.NewWriter(&b)
	body := notify.Title(x) + "\n\n" + x.Alert.Text + "\n"
	_, _ = q.Write([]byte(strings.ReplaceAll(body, "\n", "\r\n"))) // into memory
	_ = q.Close()
	return b.Bytes()
}

// oneLine keeps a value from becoming another header.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\r' || r == '\n' }), " ")
}
