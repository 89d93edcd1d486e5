package audit

import (
	"cmp"
	"slices"
	"sync"
)

// maxBacklog bounds a Backlog: a program that marks nothing must not grow for it.
const maxBacklog = 1 << 16

// A Backlog remembers what a program has received of a partition and not marked as
// processed, for adapters of clients in which a mark is an offset. Of messages that are
// not marked yet it has the newest 65,536, in 48 bytes each; what is marked later than
// that counts as delivered and not as processed. When the partition leaves the program
// its Backlog ends. Methods may be called from any goroutine.
type Backlog struct {
	topic *Topic

	mu    sync.Mutex
	queue []unmarked // by offset
}

type unmarked struct {
	offset  int64
	message Held
}

// Backlog makes that of a partition.
func (t *Topic) Backlog() *Backlog { return &Backlog{topic: t} }

// Add remembers a message; it counts nothing. Messages may come out of order, for several
// goroutines may receive from one partition. If the offset is there already, the partition
// has been rewound, and what was ahead will come again.
func (b *Backlog) Add(offset int64, p *Passage) {
	h := b.topic.Hold(p)
	b.mu.Lock()
	defer b.mu.Unlock()
	i, there := b.find(offset)
	if there {
		b.queue = b.queue[:i]
	}
	b.queue = slices.Insert(b.queue, i, unmarked{offset, h}) // nearly always at the end
	if len(b.queue) > maxBacklog {
		b.queue = b.queue[1:]
	}
}

// find is the place of an offset in the queue, and whether it is there.
func (b *Backlog) find(offset int64) (int, bool) {
	if n := len(b.queue); n == 0 || b.queue[n-1].offset < offset {
		return n, false // without a search
	}
	return slices.BinarySearchFunc(b.queue, offset, func(u unmarked, offset int64) int { return cmp.Compare(u.offset, offset) })
}

// TakeBack forgets messages from an offset on, which were not delivered after all.
func (b *Backlog) TakeBack(offset int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, _ := b.find(offset)
	b.queue = b.queue[:i]
}

// Processed counts what is before an offset as successes.
func (b *Backlog) Processed(next int64) {
	b.mu.Lock()
	n := 0
	for n < len(b.queue) && b.queue[n].offset < next {
		b.topic.SuccessOf(b.queue[n].message)
		n++
	}
	b.queue = b.queue[n:]
	b.mu.Unlock()
}
