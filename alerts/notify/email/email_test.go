package email_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/alerts/notify/email"
)

// server is an SMTP server that knows STARTTLS and one login, and keeps mail.
type server struct {
	net.Listener
	cert   tls.Certificate
	pool   *x509.CertPool
	direct bool // TLS from the beginning
	refuse bool // every recipient

	mu   sync.Mutex
	mail []string
	to   []string
}

func newServer(t testing.TB, change func(*server)) *server {
	s := &server{pool: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := x509.ParseCertificate(der)
	s.pool.AddCert(parsed)
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	if s.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(s)
	}
	t.Cleanup(func() { s.Close() })
	go func() {
		for {
			conn, err := s.Accept()
			if err != nil {
				return
			}
			if s.direct {
				conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			}
			go s.serve(conn, s.direct)
		}
	}()
	return s
}

func (s *server) serve(conn net.Conn, secure bool) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	say("220 fake ESMTP")
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch strings.ToUpper(verb) {
		case "EHLO":
			if secure {
				say("250-fake\r\n250 AUTH PLAIN")
			} else {
				say("250-fake\r\n250 STARTTLS")
			}
		case "STARTTLS":
			say("220 go")
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			r, secure = bufio.NewReader(conn), true
		case "AUTH":
			_, blob, _ := strings.Cut(rest, " ")
			if b, _ := base64.StdEncoding.DecodeString(blob); string(b) != "\x00u\x00tomato" {
				say("535 5.7.8 no: %s", b)
				continue
			}
			say("235 ok")
		case "RCPT":
			if s.refuse {
				say("550 5.1.1 no such user")
				continue
			}
			s.mu.Lock()
			s.to = append(s.to, rest)
			s.mu.Unlock()
			say("250 ok")
		case "DATA":
			say("354 go")
			var b strings.Builder
			for {
				line, err := r.ReadString('\n')
				if err != nil || line == ".\r\n" {
					break
				}
				b.WriteString(strings.TrimPrefix(line, "."))
			}
			s.mu.Lock()
			s.mail = append(s.mail, b.String())
			s.mu.Unlock()
			say("250 taken")
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func example() *alerts.Notification {
	p := alerts.Example("loss")
	p.Summary, p.Text = "5 messages\r\nBcc: eve@example.com missing: größer", "orders: 5 are missing\n.\n  chaperone why orders 2026-01-31T10:00:00Z"
	return &alerts.Notification{ID: "loss-test/1/mail", Event: alerts.Fired, Alert: p.Alert}
}

func (s *server) options() email.Options {
	return email.Options{Server: s.Addr().String(), User: "u", Password: "tomato", From: "Chaperone <chaperone@example.com>", To: []string{"a@example.com", "b@example.com"},
		TLS: &tls.Config{RootCAs: s.pool}, Timeout: 5 * time.Second}
}

func TestMailIsSent(t *testing.T) {
	for _, security := range []string{email.StartTLS, email.TLS} {
		t.Run(security, func(t *testing.T) {
			s := newServer(t, func(s *server) { s.direct = security == email.TLS })
			o := s.options()
			o.Security = security
			n, err := email.New(o)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := n.Notify(t.Context(), example()); err != nil {
					t.Fatal(err)
				}
			}
			m, err := mail.ReadMessage(strings.NewReader(s.mail[0]))
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(quotedprintable.NewReader(m.Body))
			subject, _ := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
			if m.Header.Get("Bcc") != "" || subject != "[chaperone] notice: 5 messages Bcc: eve@example.com missing: größer" || !strings.Contains(string(body), "\r\n.\r\n  chaperone why orders") {
				t.Errorf("got %v\n%s", m.Header, body)
			}
			if m.Header.Get("Message-ID") != "<loss-test.1.mail@example.com>" || m.Header.Get("References") != "<loss-test@example.com>" {
				t.Errorf("repeats are not known, or no thread: %v", m.Header)
			}
			if len(s.to) != 4 || s.to[0] != "TO:<a@example.com>" {
				t.Errorf("sent to %q", s.to)
			}
		})
	}
}

func TestMailThatIsRefused(t *testing.T) {
	s := newServer(t, func(s *server) { s.refuse = true })
	n, err := email.New(s.options())
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Notify(t.Context(), example()); !errors.Is(err, notify.ErrRefused) || !strings.Contains(err.Error(), "no such user") {
		t.Errorf("got %v", err)
	}
	o := s.options()
	o.Password = "tomato-2"
	n, _ = email.New(o)
	if err := n.Notify(t.Context(), example()); !errors.Is(err, notify.ErrRefused) || strings.Contains(err.Error(), "tomato") {
		t.Errorf("got %v", err)
	}
	s.Close()
	if err := n.Notify(t.Context(), example()); err == nil || errors.Is(err, notify.ErrRefused) {
		t.Errorf("a server that is away refuses: %v", err)
	}
}

func TestAPasswordDoesNotGoInClear(t *testing.T) {
	o := email.Options{Server: "h:25", Security: email.Plain, User: "u", Password: "p", From: "a@b.c", To: []string{"a@b.c"}}
	if _, err := email.New(o); err == nil {
		t.Error("it does")
	}
}
