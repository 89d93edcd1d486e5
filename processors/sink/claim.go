package sink

import (
	"context"
	"errors"
	"sync"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// An item is a record on its way to the store.
type item struct {
	record    *audit.Record
	topic     string
	partition int32
	offset    int64
	size      int
	from      *position
}

// position is how far a claim's records are settled: in the store, or set aside.
// Batches settle in order, so it only rises.
type position struct {
	mu      sync.Mutex
	next    int64         // -1 for none
	changed chan struct{} // has room for one signal
}

func newPosition() *position { return &position{next: -1, changed: make(chan struct{}, 1)} }

func (p *position) settle(next int64) {
	p.mu.Lock()
	p.next = max(p.next, next)
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *position) settled() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next
}

// Work feeds the batcher from one partition and commits what is settled; it is
// for the group, which calls it.
func (p *Processor) Work(ctx context.Context, c *shards.Claim) error {
	return p.feed(ctx, &claim{c.Messages, c.Draining, c.Commit})
}

// claim is what a feed needs of a shards.Claim.
type claim struct {
	Messages <-chan *sarama.ConsumerMessage
	Draining <-chan struct{}
	Commit   func(next int64)
}

func (p *Processor) feed(ctx context.Context, c *claim) error {
	w := &feed{p: p, c: c, pos: newPosition(), read: -1, committed: -1}
	for {
		select {
		case msg, ok := <-c.Messages:
			if !ok { // the session ends: nothing can be committed any more
				<-ctx.Done()
				return nil
			}
			w.submit(ctx, msg)
		case <-w.pos.changed:
			w.commit()
		case <-c.Draining:
			w.drain(ctx)
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// feed is the work on one partition.
type feed struct {
	p         *Processor
	c         *claim
	pos       *position
	read      int64 // offset after the last record submitted, -1 before the first
	committed int64
}

// submit hands a record to the batcher. A record that cannot be read goes the
// same way, so that it settles in order. While the store is away this blocks,
// and with it the reading of the partition.
func (w *feed) submit(ctx context.Context, msg *sarama.ConsumerMessage) {
	it := item{topic: msg.Topic, partition: msg.Partition, offset: msg.Offset, size: len(msg.Value), from: w.pos}
	var err error
	if len(msg.Value) == 0 {
		err = errors.New("it has no value")
	} else {
		it.record, err = audit.Decode(msg.Value)
	}
	w.p.metrics.read.Inc()
	if err != nil {
		it.record = nil
		w.p.metrics.malformed.Inc()
		w.p.aside.Add(msg.Topic, msg.Partition, msg.Offset, err)
	}
	for {
		select {
		case w.p.batcher.in <- it:
			w.read = msg.Offset + 1
			return
		case <-w.pos.changed:
			w.commit()
		case <-w.c.Draining:
			return // it is left for the next owner, and nothing is read after it
		case <-ctx.Done():
			return
		}
	}
}

func (w *feed) commit() {
	if next := w.pos.settled(); next > w.committed {
		w.c.Commit(next)
		w.committed = next
	}
}

// drain waits until all that was submitted has settled, and commits it.
func (w *feed) drain(ctx context.Context) {
	w.p.batcher.hurry()
	for w.pos.settled() < w.read {
		select {
		case <-w.pos.changed:
		case <-ctx.Done():
			return
		}
	}
	w.commit()
}
