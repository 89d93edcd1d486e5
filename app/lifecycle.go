package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// actors are the things that run, in the order in which they stop: whoever
// feeds others before them, so that what it writes last is still carried on.
type actors struct {
	log  *slog.Logger
	list []*actor

	mu     sync.Mutex
	failed chan struct{} // closed at the first failure
	first  error
}

type actor struct {
	name   string
	run    func(context.Context) error
	cancel context.CancelFunc
	done   chan struct{} // closed when run has returned
	left   error         // what it returned after its turn to stop; to be read when done is closed
}

// add notes an actor: a function that runs until its context ends, which is
// when it is its turn to stop.
func (a *actors) add(name string, run func(context.Context) error) {
	a.list = append(a.list, &actor{name: name, run: run, done: make(chan struct{})})
}

// startAll runs each in a goroutine of its own. One that ends before its turn
// stops everything.
func (a *actors) startAll() {
	for _, x := range a.list {
		ctx, cancel := context.WithCancel(context.Background())
		x.cancel = cancel
		go func() {
			defer close(x.done)
			err := x.run(ctx)
			switch {
			case ctx.Err() == nil && err == nil:
				a.fail(fmt.Errorf("%s ended by itself", x.name))
			case ctx.Err() == nil:
				a.fail(fmt.Errorf("%s: %w", x.name, err))
			case err != nil:
				x.left = err
				a.log.Warn("ended with an error", "part", x.name, "err", err)
			}
		}()
	}
}

func (a *actors) fail(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.first == nil {
		a.first = err
		close(a.failed)
	}
}

// wait returns when ctx ends or an actor fails; the error is the actor's.
func (a *actors) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.failed:
		return a.first
	}
}

// stop ends the actors one after the other, and gives what they say they have
// left. One that does not end in time is left behind: the process is about to
// exit, and what it holds is durable or will be counted again.
func (a *actors) stop(atMost time.Duration) error {
	var left []error
	for _, x := range a.list {
		begin := time.Now()
		x.cancel()
		select {
		case <-x.done:
			a.log.Debug("stopped", "part", x.name, "took", time.Since(begin).Round(time.Millisecond))
			left = append(left, x.left)
		case <-time.After(atMost):
			a.log.Warn("did not stop in time and is left behind", "part", x.name, "after", atMost)
			left = append(left, fmt.Errorf("%w: %s did not stop within %s", shards.ErrLeft, x.name, atMost))
		}
	}
	return errors.Join(left...)
}

// closers undo what New has done, in reverse order.
type closers struct {
	log  *slog.Logger
	list []closer
}

type closer struct {
	name  string
	close func() error
}

func (c *closers) add(name string, f func() error) { c.list = append(c.list, closer{name, f}) }

func (c *closers) close() {
	for len(c.list) > 0 {
		x := c.list[len(c.list)-1]
		c.list = c.list[:len(c.list)-1]
		if err := x.close(); err != nil {
			c.log.Warn("close", "part", x.name, "err", err)
		}
	}
}
