package registry

import (
	"context"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A flight is a request for a schema under way, and those who wait for it. It is
// nobody's own: the first of them may give up while the others still wait, so it
// ends only when the last one has.
type flight struct {
	waiting int // guarded by Client.mu
	cancel  context.CancelFunc
	done    chan struct{} // closed when schema and err are set
	schema  codecs.Schema
	err     error
}

// Schema gets a schema from the registry in one attempt, or from memory. Calls for
// the same schema at the same time share the attempt.
func (c *Client) Schema(ctx context.Context, id uint32) (codecs.Schema, error) {
	c.mu.Lock()
	if s, ok := c.known[id]; ok {
		c.mu.Unlock()
		return s, nil
	}
	f := c.flights[id]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		var shared context.Context
		shared, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
		c.flights[id] = f
		go c.fly(shared, f, id)
	}
	f.waiting++
	c.mu.Unlock()

	select {
	case <-f.done:
		return f.schema, f.err
	case <-ctx.Done():
		c.leave(f, id)
		return codecs.Schema{}, c.err(id, ctx.Err())
	}
}

func (c *Client) fly(ctx context.Context, f *flight, id uint32) {
	defer f.cancel()
	f.schema, f.err = c.fetch(ctx, id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.err == nil {
		c.known[id] = f.schema
	}
	c.land(f, id)
	close(f.done)
}

// leave stops waiting.
func (c *Client) leave(f *flight, id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		c.land(f, id) // or the next caller would join what has been cancelled
	}
}

// land forgets a flight, unless another one has taken its place.
func (c *Client) land(f *flight, id uint32) {
	if c.flights[id] == f {
		delete(c.flights, id)
	}
}
