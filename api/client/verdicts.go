package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
)

// Completing asks how far topics are complete.
type Completing struct {
	Topic, Pipeline string // empty means any
	// Span is the time that is asked about. A zero To is now; a zero From is 24 hours
	// before, or where a topic began to be known.
	Span
	Threshold *float64 // from 0 to 1; nil: everything has to have come out
	// Wait is for how long to wait until all of it is complete, at most a minute.
	Wait time.Duration
}

// Completeness says how far topics are complete, and what holds them.
func (c *Client) Completeness(ctx context.Context, q Completing) (*v1.Completeness, error) {
	p := q.params()
	set(p, map[string]string{"topic": q.Topic, "pipeline": q.Pipeline})
	if q.Threshold != nil {
		p.Set("threshold", strconv.FormatFloat(*q.Threshold, 'g', -1, 64))
	}
	patient := c
	if q.Wait > 0 {
		p.Set("wait", q.Wait.String())
		h := *c.http
		if h.Timeout > 0 {
			h.Timeout += q.Wait
		}
		with := *c
		with.http = &h
		patient = &with
	}
	return do[v1.Completeness](ctx, patient, http.MethodGet, nil, p, "api", "v1", "completeness")
}

// Judged says which verdicts are wanted.
type Judged struct {
	Span
	Topic, Pipeline string   // empty means any
	Verdicts        []string // missing, altered, ...; none means all
}

// Verdicts lists verdicts, with their findings in words.
func (c *Client) Verdicts(ctx context.Context, q Judged) (*v1.Verdicts, error) {
	p := q.params()
	set(p, map[string]string{"pipeline": q.Pipeline, "verdict": strings.Join(q.Verdicts, ",")})
	if q.Topic != "" {
		return get[v1.Verdicts](ctx, c, p, "api", "v1", "topics", q.Topic, "verdicts")
	}
	return get[v1.Verdicts](ctx, c, p, "api", "v1", "verdicts")
}

// Why gives the chain of evidence of a window of a topic: the one that holds a time, RFC
// 3339 or Unix seconds, or -1 for the last one that has ended.
func (c *Client) Why(ctx context.Context, topic, window string) (*v1.Explanation, error) {
	return get[v1.Explanation](ctx, c, url.Values{"window": {window}}, "api", "v1", "topics", topic, "why")
}

// Records lists the records that the windows of a topic rest on.
func (c *Client) Records(ctx context.Context, topic string, s Span) (*v1.Records, error) {
	return get[v1.Records](ctx, c, s.params(), "api", "v1", "topics", topic, "records")
}

// Index says which version answers, and what there is.
func (c *Client) Index(ctx context.Context) (*v1.Index, error) {
	return get[v1.Index](ctx, c, nil)
}

// set sets the parameters that say something.
// Lateness says how late the messages of a topic were at each tier.
func (c *Client) Lateness(ctx context.Context, topic string, s Span) (*v1.Lateness, error) {
	return get[v1.Lateness](ctx, c, s.params(), "api", "v1", "topics", topic, "lateness")
}

func set(p url.Values, values map[string]string) {
	for name, value := range values {
		if value != "" {
			p.Set(name, value)
		}
	}
}
