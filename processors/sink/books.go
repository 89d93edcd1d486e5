package sink

import (
	"fmt"
	"sync"
)

// position is how far a claim's records are settled, which it learns from the
// batcher. Batches settle in order, so it only rises.
type position struct {
	mu      sync.Mutex
	sum     endings
	changed chan struct{} // has room for one signal
}

// endings are what has become of a claim's records: of all those before next.
type endings struct {
	next                    int64 // -1 for none
	written, skipped, aside uint64
}

func newPosition() *position {
	return &position{sum: endings{next: -1}, changed: make(chan struct{}, 1)}
}

// settle takes what has become of more records.
func (p *position) settle(more endings) {
	p.mu.Lock()
	p.sum.next = max(p.sum.next, more.next)
	p.sum.written += more.written
	p.sum.skipped += more.skipped
	p.sum.aside += more.aside
	p.mu.Unlock()
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

func (p *position) ended() endings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sum
}

// all is how many records have ended.
func (s endings) all() uint64 { return s.written + s.skipped + s.aside }

// settled is the offset before which nothing is on its way any more.
func (p *position) settled() int64 { return p.ended().next }

// balance holds what was submitted, so many records before an offset, against
// what has become of it. What is neither written, skipped nor set aside is on its way,
// and when the position has come up to the offset nothing is.
func (s endings) balance(submitted uint64, before int64) error {
	ended := s.all()
	switch {
	case s.next > before:
		return fmt.Errorf("settled up to offset %d, and read only up to %d", s.next, before)
	case ended > submitted:
		return fmt.Errorf("%d records were read, and %d written, %d skipped and %d set aside", submitted, s.written, s.skipped, s.aside)
	case s.next == before && ended < submitted:
		return fmt.Errorf("%d records were read up to offset %d, all of them are settled, and only %d are written, %d skipped and %d set aside", submitted, before, s.written, s.skipped, s.aside)
	}
	return nil
}

// imbalance says that the books of a partition do not balance.
func (p *Processor[T]) imbalance(partition int32, off error) error {
	p.metrics.imbalances.Inc()
	p.books.Raise(fmt.Sprintf("partition %d of the %s: %v; it is read again from where it was committed: if this comes again, report a bug with this line", partition, p.stream.topic, off),
		"partition", partition)
	return fmt.Errorf("%s: the books do not balance: %w", p.stream.name, off)
}
