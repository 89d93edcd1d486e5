package sink

import (
	"context"
	"errors"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// An item is a record on its way to the store. One of which the end is known from the
// beginning only settles.
type item[T any] struct {
	row       T
	topic     string
	partition int32
	offset    int64
	size      int
	from      *position
	end       ending
}

// An ending is what became of an item, once something has.
type ending uint8

const (
	onItsWay ending = iota
	written         // the store has acknowledged it
	skipped         // there is nothing in it for the store
	setAside        // the store rejects it, or it could not be read
)

// Work feeds the batcher from one partition and commits what is settled; it is
// for the group, which calls it.
func (p *Processor[T]) Work(ctx context.Context, c *shards.Claim) error {
	return p.feed(ctx, &claim{c.Partition, c.Messages, c.Draining, c.Commit})
}

// claim is what a feed needs of a shards.Claim.
type claim struct {
	Partition int32
	Messages  <-chan *sarama.ConsumerMessage
	Draining  <-chan struct{}
	Commit    func(next int64)
}

func (p *Processor[T]) feed(ctx context.Context, c *claim) error {
	w := &feed[T]{p: p, c: c, pos: newPosition(), read: -1, committed: -1}
	defer func() {
		select {
		case <-c.Draining:
			p.left(w)
		default:
		}
	}()
	for {
		select {
		case msg, ok := <-c.Messages:
			if !ok { // the session ends: nothing can be committed any more
				<-ctx.Done()
				return nil
			}
			switch err := w.submit(ctx, msg); {
			case errors.Is(err, errStopping):
				return w.drain(ctx) // and reads nothing after what it has not submitted
			case err != nil:
				return err
			}
		case <-w.pos.changed:
			if err := w.commit(); err != nil {
				return err
			}
		case <-c.Draining:
			return w.drain(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// errStopping says that a record was not submitted: the work ends. If another
// one were read after it, a commit would pass it by.
var errStopping = errors.New("the sink is stopping")

// feed is the work on one partition.
type feed[T any] struct {
	p         *Processor[T]
	c         *claim
	pos       *position
	submitted uint64 // records
	first     int64  // offset of the first of them
	read      int64  // offset after the last, -1 before the first
	committed int64
}

// submit hands a record to the batcher. A record that cannot be read goes the
// same way, so that it settles in order. While the store is away this blocks,
// and with it the reading of the partition.
func (w *feed[T]) submit(ctx context.Context, msg *sarama.ConsumerMessage) error {
	it := item[T]{topic: msg.Topic, partition: msg.Partition, offset: msg.Offset, size: len(msg.Value), from: w.pos}
	row, keep, err := w.p.stream.read(msg.Value)
	switch {
	case err != nil:
		it.end = setAside
	case !keep:
		it.end = skipped
	default:
		it.row = row
	}
	for {
		select {
		case w.p.batcher.in <- it:
			if w.read < 0 {
				w.first = msg.Offset
			}
			w.submitted++
			w.read = msg.Offset + 1
			w.p.metrics.submitted(it.end)
			if err != nil {
				w.p.aside.Add(msg.Topic, msg.Partition, msg.Offset, err)
			}
			return nil
		case <-w.pos.changed:
			if err := w.commit(); err != nil {
				return err
			}
		case <-w.c.Draining:
			return errStopping // it is left for the next owner
		case <-ctx.Done():
			return errStopping
		}
	}
}

// commit commits what is settled, if the books balance. Else the session ends,
// and what is not accounted for is read again.
func (w *feed[T]) commit() error {
	s := w.pos.ended()
	if err := s.balance(w.submitted, w.read); err != nil {
		return w.p.imbalance(w.c.Partition, err)
	}
	if s.next > w.committed {
		w.c.Commit(s.next)
		w.committed = s.next
	}
	return nil
}

// drain waits until all that was submitted has settled, and commits it.
func (w *feed[T]) drain(ctx context.Context) error {
	w.p.batcher.hurry()
	for w.pos.settled() < w.read {
		select {
		case <-w.pos.changed:
		case <-ctx.Done():
			return nil
		}
	}
	return w.commit()
}
