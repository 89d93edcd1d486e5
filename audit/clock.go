package audit

import (
	"sync/atomic"
	"time"
)

// clock gives the time of day in Unix milliseconds. To ask the system costs more than
// to count a message; so where there are many a goroutine asks it every few
// milliseconds for all, and latencies are off by as much. Where there are few, that
// would cost more than it saves.
type clock struct {
	coarse atomic.Int64 // 0 when nobody ticks
	ticks  chan struct{}
}

const (
	tick = 2 * time.Millisecond
	// manyPerSecond is how many messages make ticking worth while.
	manyPerSecond = 20_000
)

func (c *clock) now() int64 {
	if ms := c.coarse.Load(); ms != 0 {
		return ms
	}
	return time.Now().UnixMilli()
}

// adapt begins or ends to tick, for so many messages per second. Only one goroutine
// calls it.
func (c *clock) adapt(perSecond float64) {
	switch {
	case perSecond > manyPerSecond && c.ticks == nil:
		c.ticks = make(chan struct{})
		c.coarse.Store(time.Now().UnixMilli())
		go c.run(c.ticks)
	case perSecond < manyPerSecond/2:
		c.stop()
	}
}

func (c *clock) stop() {
	if c.ticks != nil {
		close(c.ticks)
		c.ticks = nil
	}
}

func (c *clock) run(quit chan struct{}) {
	t := time.NewTicker(tick)
	defer t.Stop()
	defer c.coarse.Store(0)
	for {
		select {
		case <-t.C:
			c.coarse.Store(time.Now().UnixMilli()) // the tick may be from before we were let run
		case <-quit:
			return
		}
	}
}
