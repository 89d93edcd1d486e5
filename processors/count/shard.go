package count

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// shard counts the sources of one claim, from its start to its end. Two loops
// share it: one opens sources and may wait for clusters, the other flushes and
// waits for nobody but the audit cluster.
type shard struct {
	p     *Processor
	claim *shards.Claim

	mu      sync.Mutex
	sources map[audit.Source]*source
	table   map[audit.Source][]entry              // recovered; taken out when a source is opened
	notes   map[audit.Source]map[string]time.Time // by key: since when sources have been gone

	learners sync.WaitGroup // started by who opens sources

	kicked   chan struct{} // a source waits for a flush
	reopened chan struct{} // a source was lost

	recreated  map[audit.Source]bool // sources of which sayRecreated has spoken
	nextForget time.Time
}

// Work is the shards.Worker of the counting group.
func (p *Processor) Work(ctx context.Context, c *shards.Claim) error {
	s := &shard{p: p, claim: c, sources: map[audit.Source]*source{}, kicked: make(chan struct{}, 1), reopened: make(chan struct{}, 1),
		recreated: map[audit.Source]bool{}, notes: map[audit.Source]map[string]time.Time{}}
	if err := s.load(); err != nil {
		return err
	}
	p.enter(s)
	defer s.lift()
	defer func() {
		select {
		case <-c.Draining: // stays, for the last report of progress
		default:
			p.leave(s)
		}
	}()

	opening, cancel := context.WithCancel(ctx)
	var opener sync.WaitGroup
	opener.Go(func() {
		s.keepOpen(opening)
		s.learners.Wait()
	})
	stop := func() {
		cancel()
		opener.Wait()
		s.closeAll()
	}
	defer stop()

	// Shards tick one after another, not all at once.
	every := p.o.FlushEvery
	phase := time.NewTimer(every * time.Duration(c.Partition) / time.Duration(p.o.Topology.Shards))
	defer phase.Stop()
	select {
	case <-ctx.Done():
		return nil
	case <-c.Draining:
	case <-phase.C:
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := s.flush(ctx, s.budget()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-c.Draining:
			cancel()
			s.await(&opener) // or a cluster that hangs would take the time that storing needs
			s.closeAll()
			return s.drain(ctx)
		case <-tick.C:
		case <-s.kicked:
		}
	}
}

// await waits a moment for who opens sources. What it may open later is closed at
// the end of the work.
func (s *shard) await(opener *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() { defer close(ended); opener.Wait() }()
	select {
	case <-ended:
	case <-time.After(openerPatience):
	}
}

const openerPatience = 2 * time.Second

// reopen and hurry wake the two loops. They never block.
func (s *shard) reopen() { wake(s.reopened) }
func (s *shard) hurry()  { wake(s.kicked) }

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// budget is how many rows one flush may write: the shard's part of the rate of
// the instance. If more is waiting, latency gives way and not the rate.
func (s *shard) budget() int {
	perFlush := float64(s.p.o.RowsPerSecond) * s.p.o.FlushEvery.Seconds() / float64(max(1, s.claim.Claims))
	return max(1, int(perFlush))
}

// list is a snapshot of the sources.
func (s *shard) list() []*source {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := make([]*source, 0, len(s.sources))
	for _, x := range s.sources {
		l = append(l, x)
	}
	return l
}

// drain stores everything that was counted, as fast as it can, but in parts: all of
// it at once could be more than there is memory for. Readers have been closed.
func (s *shard) drain(ctx context.Context) error {
	part := max(s.budget(), s.p.o.PendingRows/max(1, s.claim.Claims))
	for before := -1; ; {
		left := 0
		for _, x := range s.list() {
			x.mu.Lock()
			if x.c != nil && !x.c.Idle() {
				left++
			}
			x.mu.Unlock()
		}
		if left == 0 {
			return nil
		}
		if err := s.flush(ctx, part); err != nil {
			return fmt.Errorf("%d sources not stored to the end: %w", left, err)
		}
		if left != before {
			before = left
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond): // the coordinator may have to be asked again
		}
	}
}

// lift takes the shard's rows off the instance's pressure: another owner has them.
func (s *shard) lift() {
	for _, x := range s.list() {
		x.mu.Lock()
		s.p.pressure.moved(x.closed, 0)
		x.closed = 0
		x.mu.Unlock()
	}
}

// closeAll ends all readers of the shard.
func (s *shard) closeAll() {
	var wg sync.WaitGroup
	for _, x := range s.list() {
		wg.Go(func() { x.close() })
	}
	wg.Wait()
}

// close ends the reading of a source, if it is read.
func (x *source) close() {
	x.mu.Lock()
	reader := x.reader
	x.mu.Unlock()
	if reader != nil {
		reader.Close(x.Source)
	}
	x.mu.Lock()
	x.reading, x.paused = false, false
	x.mu.Unlock()
}
