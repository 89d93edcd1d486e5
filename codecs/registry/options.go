package registry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Options of a Client. Only URLs must be set.
type Options struct {
	Name string // of the registry in the configuration, for messages
	// URLs of one registry, such as https://registry:8081: its nodes, which are tried
	// in turn. A user and password in one override User and Password.
	URLs           []string
	User, Password string        // HTTP basic authentication
	Token          string        // HTTP bearer authentication, instead
	TLS            *tls.Config   // for https; nil for the CAs of the system
	Timeout        time.Duration // of each request to each URL, overriding the default of 5s
	Missing        Missing       // overrides the default, Wait
}

const defaultTimeout = 5 * time.Second

// A node is one of the URLs.
type node struct {
	url    string // without credentials
	client *sr.Client
}

// nodes checks the options and makes a client of each URL. sr would take all the
// URLs at once, but goes on to the next one only where there is no answer at all:
// not if a node is up and answers that it has lost its store.
func (o *Options) nodes() (nodes []node, err error) {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	if o.Missing, err = o.Missing.orDefault(); err != nil {
		problems = append(problems, err)
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Timeout < 0 {
		add("timeout: %s must be more than 0", o.Timeout)
	}
	if o.User == "" && o.Password != "" {
		add("password: needs a user")
	}
	if o.Token != "" && o.User != "" {
		add("token: cannot go with a user")
	}
	if len(o.URLs) == 0 {
		add("urls: must have at least one")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = o.TLS.Clone()
	client := &http.Client{
		Transport: limited{transport},
		Timeout:   o.Timeout,
		// A registry answers itself. What redirects is a proxy that wants somebody to
		// log in, or a URL that is not quite right.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for i, text := range o.URLs {
		n, err := o.node(text, client)
		if err != nil {
			add("urls[%d]: %w", i, err)
		}
		nodes = append(nodes, n)
	}
	return nodes, errors.Join(problems...)
}

var errURL = errors.New("must be http:// or https:// with a host, and may have a port and a path but nothing after it")

// node makes the client of a URL. Its errors do not show the URL, which may hold a
// password where it cannot be parsed.
func (o *Options) node(text string, client *http.Client) (node, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return node{}, errURL
	}
	user, password := o.User, o.Password
	if u.User != nil {
		if o.Token != "" {
			return node{}, errors.New("cannot have a user and go with a token")
		}
		user = u.User.Username()
		password, _ = u.User.Password()
		u.User = nil
		if user == "" {
			return node{}, errors.New("has a password but no user")
		}
	}
	opts := []sr.ClientOpt{sr.URLs(u.String()), sr.HTTPClient(client), sr.UserAgent("chaperone")}
	if user != "" {
		opts = append(opts, sr.BasicAuth(user, password))
	}
	if o.Token != "" {
		opts = append(opts, sr.BearerToken(o.Token))
	}
	c, err := sr.NewClient(opts...)
	return node{u.String(), c}, err
}
