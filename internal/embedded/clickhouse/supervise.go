package clickhouse

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"github.com/chaperone-audit/chaperone/internal/health"
)

const (
	// firstBackoff doubles with each child that dies soon, up to lastBackoff.
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 10 * time.Second
	// settled is how long a child has to live for its death to be the first again.
	settled = time.Minute
	// startWait is for a child to say something. Opening a large data directory takes long.
	startWait = 2 * time.Minute
	// stopWait is for a child to end by itself.
	stopWait = 6 * time.Second
)

// supervise keeps a child running until ctx ends. What became of the first one
// is sent to first; when that is an error there is no second.
//
// It stays on its own thread: Linux ties the parent-death signal of a child to
// the thread that started it, and would kill the child if that thread ended
// while the process lives on.
func (s *Server) supervise(ctx context.Context, first chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.stopped)
	defer s.listener.Close()
	backoff := firstBackoff
	for {
		began := time.Now()
		c, err := s.spawn(ctx)
		if first != nil {
			first <- err
			first = nil
			if err != nil {
				return
			}
		}
		if err == nil {
			s.setPID(c.pid())
			s.opts.Health(health.OK, "")
			err = s.watch(ctx, c)
			s.setPID(0)
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > settled {
			backoff = firstBackoff
		}
		s.opts.Log.Error("the embedded ClickHouse ended; starting it again", "error", err, "in", backoff)
		s.opts.Health(health.Down, fmt.Sprintf("the engine ended and is being started again: %v", err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// watch returns when the child has ended: by itself, because it did not answer,
// or because ctx ended.
func (s *Server) watch(ctx context.Context, c *child) error {
	answers := make(chan answer)
	checking, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.check(checking, answers)
	for {
		select {
		case err := <-c.ended:
			return err
		case a := <-answers:
			switch {
			case a.err != nil:
				c.kill()
				<-c.ended
				return fmt.Errorf("it did not answer, and was killed: %w", a.err)
			case a.refusal != "":
				s.opts.Health(health.Degraded, "the engine refuses a simple statement: "+a.refusal)
			default:
				s.opts.Health(health.OK, "")
			}
		case <-ctx.Done():
			c.stop()
			return ctx.Err()
		}
	}
}

// An answer is what came of a check. A refusal is an answer too: only silence is
// fatal, since a busy engine and one at its memory limit heal without us.
type answer struct {
	refusal string
	err     error
}

// check asks the engine to run a statement every now and then.
func (s *Server) check(ctx context.Context, answers chan<- answer) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ticks := time.NewTicker(s.opts.HealthEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		refusal, err := s.ask(ctx, client)
		select {
		case answers <- answer{refusal, err}:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) ask(ctx context.Context, client *http.Client) (refusal string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.opts.HealthWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.Addr()+healthPath, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<12))
	if err != nil || resp.StatusCode == http.StatusOK {
		return "", err
	}
	return string(text), nil
}
