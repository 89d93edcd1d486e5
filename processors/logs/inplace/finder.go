package inplace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

// goneAfter is how long brokers must say that something does not exist, or is
// another one, before they are believed.
const goneAfter = time.Second

// find looks for the leaders of the homeless, until the Reader is shut down.
func (r *Reader) find() {
	for {
		due, pause := r.due(time.Now())
		if len(due) > 0 {
			r.place(due)
			continue
		}
		var timer <-chan time.Time
		if pause > 0 {
			timer = time.After(pause)
		}
		select {
		case <-r.ctx.Done():
			return
		case <-r.sought:
		case <-timer:
		}
	}
}

// due lists those to be looked for now. If there are none, pause is until the
// next, 0 if nobody waits.
func (r *Reader) due(now time.Time) (due []*source, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.homeless {
		if wait := s.due.Sub(now); wait <= 0 {
			due = append(due, s)
		} else if pause == 0 || wait < pause {
			pause = wait
		}
	}
	if r.ctx.Err() != nil {
		return nil, 0
	}
	return due, pause
}

// place asks for metadata, once for all, and gives each source to the fetcher of
// its leader.
func (r *Reader) place(due []*source) {
	topics, failed := r.describe(due)
	now := time.Now()
	lost := map[*source]error{}
	r.mu.Lock()
	for _, s := range due {
		if _, still := r.homeless[s]; !still {
			continue // closed meanwhile
		}
		if s.why != nil && now.Sub(s.since) >= r.patience {
			lost[s] = fmt.Errorf("%w: %w", logs.ErrUnavailable, s.why)
			continue
		}
		at, err := lead{}, failed
		if err == nil {
			at, err = locate(s.Source, topics[s.Topic])
		}
		if err == nil && at.olderThan(max(s.lead.epoch, s.at.epoch)) {
			err = errStale
		}
		absent := errors.Is(err, logs.ErrGone) || errors.Is(err, logs.ErrRecreated)
		switch {
		case !absent:
			s.absent = time.Time{}
		case s.absent.IsZero():
			s.absent = now
		}
		switch {
		case err == nil:
			delete(r.homeless, s)
			s.lead = at
			r.fetcher(r.leader(s)).add(s)
		case errors.Is(err, logs.ErrDenied), absent && now.Sub(s.absent) >= goneAfter:
			lost[s] = err
		default:
			r.seek(s, err)
		}
	}
	r.mu.Unlock()
	for s, err := range lost {
		r.lose(s, err)
	}
}

// describe asks any broker for the topics of sources. It also tells the client
// where the brokers are.
func (r *Reader) describe(sources []*source) (map[string]*kmsg.MetadataResponseTopic, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.hung)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	named := map[string]bool{}
	for _, s := range sources {
		if !named[s.Topic] {
			named[s.Topic] = true
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = kmsg.StringPtr(s.Topic)
			req.Topics = append(req.Topics, t)
		}
	}
	resp, err := req.RequestWith(ctx, r.lanes[0])
	if err != nil {
		return nil, fmt.Errorf("ask for metadata: %w", err)
	}
	topics := make(map[string]*kmsg.MetadataResponseTopic, len(resp.Topics))
	for i := range resp.Topics {
		if t := &resp.Topics[i]; t.Topic != nil {
			topics[*t.Topic] = t
		}
	}
	return topics, nil
}
