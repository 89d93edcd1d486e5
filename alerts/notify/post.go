package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// A Poster posts JSON to one address.
type Poster struct {
	http    *http.Client
	url     string
	header  http.Header
	secrets []string // that no error may have
}

// HTTP is how to post.
type HTTP struct {
	URL            string
	Token          string // bearer authentication
	User, Password string // basic authentication, instead
	Header         map[string]string
	TLS            *tls.Config   // nil: as the system has it
	Timeout        time.Duration // 10 s if zero
	Secrets        []string      // others that no error may have
}

// NewPoster makes one. It does not connect.
func NewPoster(o HTTP) (*Poster, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("must be an address such as https://host/path") // and not quoted: it may be secret
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS
	p := &Poster{url: o.URL, header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"chaperone"}}, secrets: append(o.Secrets, o.URL, u.RequestURI(), o.Token, o.Password),
		http: &http.Client{Timeout: o.Timeout, Transport: transport,
			// A redirect would take the secrets elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	for k, v := range o.Header {
		p.header.Set(k, v)
	}
	switch {
	case o.Token != "":
		p.header.Set("Authorization", "Bearer "+o.Token)
	case o.User != "":
		r := http.Request{Header: p.header}
		r.SetBasicAuth(o.User, o.Password)
	}
	return p, nil
}

// Post posts a body with more headers, and gives what was answered if that was 2xx.
func (p *Poster) Post(ctx context.Context, body any, header map[string]string) ([]byte, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(b))
	if err != nil {
		return nil, errors.New("the address cannot be used")
	}
	r.Header = p.header.Clone()
	for k, v := range header {
		r.Header.Set(k, v)
	}
	resp, err := p.http.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address
		}
		return nil, p.clean("%v", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return nil, p.clean("read the answer: %v", err)
	}
	if resp.StatusCode/100 == 2 {
		return answer, nil
	}
	err = p.clean("%s: %s", resp.Status, strings.Join(strings.Fields(string(answer[:min(len(answer), 300)])), " "))
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable:
		return nil, &Failure{Err: err, After: retryAfter(resp.Header.Get("Retry-After"))}
	case code/100 == 5, code == http.StatusRequestTimeout:
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w", ErrRefused, err)
}

func (p *Poster) clean(format string, args ...any) error {
	return errors.New(Clean(fmt.Sprintf(format, args...), p.secrets...))
}

// Clean takes secrets out of a text.
func Clean(text string, secrets ...string) string {
	for _, s := range secrets {
		if len(s) > 3 { // "/" is none
			text = strings.ReplaceAll(text, s, "***")
		}
	}
	return text
}

// retryAfter reads the header, in seconds or as a date; at most an hour is believed.
func retryAfter(text string) time.Duration {
	d := time.Duration(0)
	if n, err := strconv.Atoi(text); err == nil {
		d = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(text); err == nil {
		d = time.Until(t)
	}
	return min(max(d, 0), time.Hour)
}
