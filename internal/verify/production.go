package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/chaperone-audit/chaperone/internal/produce"
)

// A production is librdkafka at work.
type production struct {
	order order
	sent  atomic.Int64
	done  chan struct{} // closed when told and err are set
	told  map[produce.Key]produce.Counts
	err   error
}

func (r *run) inBackground(ctx context.Context, o order) *production {
	p := &production{order: o, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.told, p.err = r.librdkafka(ctx, o, &p.sent)
	}()
	return p
}

// reach waits until so many messages are sent.
func (p *production) reach(ctx context.Context, n int) error {
	for p.sent.Load() < int64(n) {
		select {
		case <-p.done:
			return p.err
		case <-ctx.Done():
			return fmt.Errorf("produce: %d of %d messages sent: %w", p.sent.Load(), p.order.Messages, context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// wait waits for its end, and tells how far it and the audit are.
func (p *production) wait(ctx context.Context, a answers) (map[produce.Key]produce.Counts, error) {
	for {
		select {
		case <-p.done:
			if p.err == nil {
				say("all %d messages are produced", p.order.Messages)
			}
			return p.told, p.err
		case <-time.After(5 * time.Second):
			counted, err := a.sql(ctx)
			if err != nil {
				say("produced %d of %d messages; %v", p.sent.Load(), p.order.Messages, err)
				continue
			}
			say("produced %d of %d messages, %d are in ClickHouse", p.sent.Load(), p.order.Messages, counted.messages())
		}
	}
}
