package sink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chaperone-audit/chaperone/internal/aside"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/sinks"
)

// batcher gathers the records of all claims of the instance, because a store
// takes one large batch more easily than many small ones. While a batch is being
// written the next one fills; when that is full, claims wait. Items of a claim
// whose session has ended are written all the same: that changes nothing.
type batcher[T any] struct {
	o       *Options
	stream  *stream[T]
	aside   *aside.List
	metrics *metrics
	health  *health.Part

	in  chan item[T]
	now chan struct{} // asks for the batch to be written at once
}

func newBatcher[T any](o *Options, s *stream[T], a *aside.List, m *metrics, h *health.Part) *batcher[T] {
	h.OK()
	return &batcher[T]{o: o, stream: s, aside: a, metrics: m, health: h, in: make(chan item[T]), now: make(chan struct{}, 1)}
}

// hurry has whatever was submitted before written without waiting for more.
func (b *batcher[T]) hurry() {
	select {
	case b.now <- struct{}{}:
	default:
	}
}

// run batches and writes until ctx ends.
func (b *batcher[T]) run(ctx context.Context) {
	var (
		filling []item[T]
		bytes   int
		due     bool               // the batch is to be written as soon as it can be
		age     = time.NewTimer(0) // running while filling has items
		writing chan struct{}      // closed when the write in flight has ended; nil without one
	)
	<-age.C
	defer func() {
		if writing != nil {
			<-writing
		}
	}()
	for {
		in := b.in
		if full := len(filling) >= b.o.BatchRecords || bytes >= b.o.BatchBytes; full {
			in, due = nil, true
		}
		if due && len(filling) > 0 && writing == nil {
			batch, done := filling, make(chan struct{})
			writing = done
			go func() {
				defer close(done)
				b.store(ctx, batch)
			}()
			age.Stop()
			filling, bytes, due = nil, 0, false
			continue
		}
		select {
		case it := <-in:
			if len(filling) == 0 {
				age.Reset(b.o.BatchAge)
			}
			filling = append(filling, it)
			bytes += it.size
		case <-age.C:
			due = true
		case <-b.now:
			due = len(filling) > 0
		case <-writing:
			writing = nil
		case <-ctx.Done():
			return
		}
	}
}

// store has a batch written, for as long as it takes, and settles it. If ctx
// ends before, nothing is settled.
func (b *batcher[T]) store(ctx context.Context, batch []item[T]) {
	good := make([]*item[T], 0, len(batch))
	for i := range batch {
		if it := &batch[i]; it.end == onItsWay {
			good = append(good, it)
		}
	}
	if !b.write(ctx, good) {
		return
	}
	ended := map[*position]endings{}
	for _, it := range batch {
		s := ended[it.from]
		s.next = it.offset + 1 // offsets of a claim rise
		switch it.end {
		case written:
			s.written++
		case skipped:
			s.skipped++
		case setAside:
			s.aside++
		}
		ended[it.from] = s
	}
	b.metrics.inFlight.Sub(float64(len(good)))
	for pos, s := range ended {
		pos.settle(s)
	}
}

// write has records written, halving what the store rejects, down to the records
// that it objects to. It says whether all of them are written or set aside.
func (b *batcher[T]) write(ctx context.Context, batch []*item[T]) bool {
	if len(batch) == 0 {
		return true
	}
	err := b.persist(ctx, batch)
	switch {
	case err == nil:
		for _, it := range batch {
			it.end = written
		}
		return true
	case !errors.Is(err, sinks.ErrRejected):
		return false // ctx has ended
	case len(batch) == 1:
		it := batch[0]
		it.end = setAside
		b.metrics.rejected.Inc()
		b.aside.Add(it.topic, it.partition, it.offset, err)
		return true
	}
	half := len(batch) / 2
	return b.write(ctx, batch[:half]) && b.write(ctx, batch[half:])
}

// persist tries until the store has taken the records, has rejected them, or
// ctx has ended.
func (b *batcher[T]) persist(ctx context.Context, batch []*item[T]) error {
	rows := make([]T, len(batch))
	for i := range batch {
		rows[i] = batch[i].row
	}
	pause, since := b.o.RetryAfter, time.Now()
	for tries := 1; ; tries++ {
		begin := time.Now()
		err := b.attempt(ctx, rows)
		b.metrics.write.Observe(time.Since(begin).Seconds())
		switch {
		case err == nil:
			b.health.OK()
			b.metrics.written.Add(float64(len(rows)))
			b.metrics.batches.Inc()
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(err, sinks.ErrRejected):
			b.health.OK() // it answers
			return err
		}
		b.metrics.failures.Inc()
		b.health.Down(fmt.Sprintf("the store does not take records: %v; tried %d times in %s, trying again; the %s keeps what waits %s",
			err, tries, time.Since(since).Round(time.Second), b.stream.topic, b.stream.keeps))
		b.o.Log.Warn("batch not written, trying again", "records", len(rows), "tries", tries, "err", err, "pause", pause)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause/2 + rand.N(pause/2+1)):
		}
		pause = min(2*pause, b.o.RetryAtMost)
	}
}

// attempt writes once, in bounded time.
func (b *batcher[T]) attempt(ctx context.Context, rows []T) error {
	ctx, cancel := context.WithTimeout(ctx, b.o.WriteTimeout)
	defer cancel()
	return b.stream.write(ctx, rows)
}
