// Package client asks a chaperone's REST API.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
)

// A Client asks one instance, or a load balancer before several. An error that
// the API reports is a *v1.Problem. Safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	token string
}

// New makes a client for an address such as http://localhost:9000. A nil
// http.Client is one with a timeout of a minute.
func New(address string, h *http.Client) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("address %q of chaperone: want http://host:port", address)
	}
	if h == nil {
		h = &http.Client{Timeout: time.Minute}
	}
	return &Client{base: u, http: h}, nil
}

// WithToken gives a client that says a token, which Report may need.
func (c *Client) WithToken(token string) *Client {
	with := *c
	with.token = token
	return &with
}

// A Span is the time that windows start in: from From, before To. A zero To is
// now, a zero From six hours before.
type Span struct{ From, To time.Time }

func (s Span) params() url.Values {
	p := url.Values{}
	if !s.From.IsZero() {
		p.Set("from", strconv.FormatInt(s.From.Unix(), 10))
	}
	if !s.To.IsZero() {
		p.Set("to", strconv.FormatInt(s.To.Unix(), 10))
	}
	return p
}

// Query says which windows of a topic, and how to sum them.
type Query struct {
	Span
	Tier, Datacenter, Cluster string   // filters; empty means any
	Partition                 *int32   // likewise
	By                        []string // datacenter, cluster, partition: what to tell apart
}

// Topics lists the topics that have windows in a time.
func (c *Client) Topics(ctx context.Context, s Span) (*v1.Topics, error) {
	return get[v1.Topics](ctx, c, s.params(), "api", "v1", "topics")
}

// Windows gives the tallies of the windows of a topic.
func (c *Client) Windows(ctx context.Context, topic string, q Query) (*v1.Windows, error) {
	p := q.params()
	set(p, map[string]string{"tier": q.Tier, "datacenter": q.Datacenter, "cluster": q.Cluster, "by": strings.Join(q.By, ",")})
	if q.Partition != nil {
		p.Set("partition", strconv.Itoa(int(*q.Partition)))
	}
	return get[v1.Windows](ctx, c, p, "api", "v1", "topics", topic, "windows")
}

// Sources says who counts a topic, or all topics for "", and how far.
func (c *Client) Sources(ctx context.Context, topic string) (*v1.Sources, error) {
	return get[v1.Sources](ctx, c, about(topic), "api", "v1", "sources")
}

// Instances lists the application instances that count a topic, or all topics for "".
// With states, some of running, ended and silent, it lists those in one of them only.
func (c *Client) Instances(ctx context.Context, topic string, states ...string) (*v1.Instances, error) {
	p := url.Values{}
	if topic != "" {
		p.Set("topic", topic)
	}
	if len(states) > 0 {
		p.Set("state", strings.Join(states, ","))
	}
	return get[v1.Instances](ctx, c, p, "api", "v1", "instances")
}

// Missed lists the ranges of a topic, or of all topics for "", that nobody can count.
func (c *Client) Missed(ctx context.Context, topic string) (*v1.Missed, error) {
	return get[v1.Missed](ctx, c, about(topic), "api", "v1", "missed")
}

// AlertQuery says which alerts; a field that is empty asks for any.
type AlertQuery struct {
	Span
	Topic, Rule string
	State       string // pending, firing, resolved
}

// Alerts lists what rules have found.
func (c *Client) Alerts(ctx context.Context, q AlertQuery) (*v1.Alerts, error) {
	p := q.params()
	for name, value := range map[string]string{"topic": q.Topic, "rule": q.Rule, "state": q.State} {
		if value != "" {
			p.Set(name, value)
		}
	}
	return get[v1.Alerts](ctx, c, p, "api", "v1", "alerts")
}

// Audited lists the topics that are audited.
func (c *Client) Audited(ctx context.Context) (*v1.Audited, error) {
	return get[v1.Audited](ctx, c, nil, "topics")
}

// AddTopic adds to the audited topics. It may be repeated.
func (c *Client) AddTopic(ctx context.Context, topic string) (*v1.Added, error) {
	body, err := json.Marshal(map[string]string{"topic": topic})
	if err != nil {
		return nil, err
	}
	return do[v1.Added](ctx, c, http.MethodPost, body, nil, "topics")
}

// Report brings records of an application to the audit, all or none, and returns when
// they are safe. It may be repeated. For a Recorder, audit.HTTP does the same.
func (c *Client) Report(ctx context.Context, records ...*audit.Record) (*v1.Accepted, error) {
	body, err := audit.AppendLines(nil, records)
	if err != nil {
		return nil, err
	}
	return do[v1.Accepted](ctx, c, http.MethodPost, body, nil, "api", "v1", "audit")
}

// Health says how each part is; that a part is down is no error.
func (c *Client) Health(ctx context.Context) (*v1.Health, error) {
	return get[v1.Health](ctx, c, nil, "health")
}

// Ready is nil once questions can be answered.
func (c *Client) Ready(ctx context.Context) error {
	_, err := get[v1.Ready](ctx, c, nil, "ready")
	return err
}

func about(topic string) url.Values {
	if topic == "" {
		return nil
	}
	return url.Values{"topic": {topic}}
}

func get[T any](ctx context.Context, c *Client, params url.Values, path ...string) (*T, error) {
	return do[T](ctx, c, http.MethodGet, nil, params, path...)
}

func do[T any](ctx context.Context, c *Client, method string, body []byte, params url.Values, path ...string) (*T, error) {
	for i, part := range path {
		path[i] = url.PathEscape(part)
	}
	u := c.base.JoinPath(path...)
	u.RawQuery = params.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, fmt.Errorf("ask chaperone: %w", err)
	}
	defer resp.Body.Close()
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch media {
	case v1.ProblemType:
		p := &v1.Problem{}
		if err := json.NewDecoder(resp.Body).Decode(p); err != nil {
			return nil, fmt.Errorf("%s %s: %s, and its problem cannot be read: %w", method, u, resp.Status, err)
		}
		return nil, p
	case "application/json":
		answer := new(T)
		if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
			return nil, fmt.Errorf("%s %s: read the answer: %w", method, u, err)
		}
		return answer, nil
	}
	begin, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	return nil, fmt.Errorf("%s %s: %s; is this chaperone? It says %q", method, u, resp.Status, begin)
}
