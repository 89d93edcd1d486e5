package auditsarama

import (
	"sync"

	"github.com/chaperone-audit/chaperone/audit"
)

// maxUnmarked bounds how many messages of a claim are remembered: a program that marks
// nothing must not grow for it.
const maxUnmarked = 1 << 16

// delivered remembers what the application has of a claim and has not marked.
type delivered struct {
	topic *audit.Topic

	mu    sync.Mutex
	queue []unmarked // by offset
}

type unmarked struct {
	offset  int64
	message audit.Held
}

func (d *delivered) add(offset int64, h audit.Held) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == maxUnmarked {
		d.queue = d.queue[1:]
	}
	d.queue = append(d.queue, unmarked{offset, h})
}

// takeBack forgets the newest message, which was not delivered after all.
func (d *delivered) takeBack(offset int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.queue); n > 0 && d.queue[n-1].offset == offset {
		d.queue = d.queue[:n-1]
	}
}

// marked counts what is before next as processed.
func (d *delivered) marked(next int64) {
	d.mu.Lock()
	n := 0
	for n < len(d.queue) && d.queue[n].offset < next {
		n++
	}
	done := d.queue[:n:n]
	d.queue = d.queue[n:]
	d.mu.Unlock()
	for _, m := range done {
		d.topic.SuccessOf(m.message)
	}
}
