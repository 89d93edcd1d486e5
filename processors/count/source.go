package count

import (
	"errors"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// source is a source partition of a shard, while the shard is ours. It is the
// sink of its reader.
type source struct {
	audit.Source
	cluster *cluster
	shard   *shard
	prefix  string // of its keys in the table
	extract *codecs.Extractor
	digest  string

	mu      sync.Mutex
	c       *counter.Counter // nil until recovered
	e       counter.Event    // of the message at hand; here so that it is not allocated
	window  audit.Window     // of the last message
	reader  logs.Reader      // that reads it, or did last; nil if none has
	old     bool             // is not to be read in place
	reading bool             // the reader has it open
	paused  bool             // ... and waits for a flush
	lost    error            // why it is no longer read; nil if it was never, or was closed by us
	retry   time.Time        // not opened before
	trouble error            // why it could not be opened or was lost, for people; nil once it is read again
	unread  time.Time        // since when it has been in trouble
	opened  time.Time        // when it was last opened
	waiting time.Time        // since when something has been waiting for a flush; zero if nothing is
	said    int64            // generation whose gap has been written by this session, -1 if none
}

// Batch counts what the reader has read.
func (x *source) Batch(b *logs.Batch) (more bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trouble = nil
	bytes := 0
	before := x.c.Stats()
	for i := range b.Records {
		r := &b.Records[i]
		ms, class := x.extract.Extract(&r.Message)
		if ms < 0 && class != audit.Timed {
			ms = 0 // no timestamp at all: the window at the epoch, for want of any
		}
		if start := x.window.Start * 1000; ms < start || ms >= start+x.window.Size*1000 {
			x.window = audit.WindowAt(ms, x.window.Size)
		}
		e := &x.e
		e.Offset, e.Window, e.Time = r.Offset, x.window.Start, r.Time
		e.Bytes = len(r.Key) + len(r.Value)
		e.Hash = audit.Hash(r.Key, r.Value)
		e.Class, e.Latency = class, r.Time-ms
		x.c.Add(e)
		bytes += e.Bytes
	}
	x.c.Advance(b.Next, b.Epoch)
	after := x.c.Stats()
	x.shard.p.metrics.counted(after.Counted-before.Counted, after.Replayed-before.Replayed, bytes)
	if x.waiting.IsZero() {
		x.waiting = time.Now() // orders flushes; enters nothing that is counted
	}
	if err := x.c.Broken(); err != nil {
		x.lost = err
		x.shard.reopen()
		return false
	}
	if x.c.Pending() > x.shard.p.o.MaxPending {
		x.paused = true
		x.shard.hurry()
		return false
	}
	return true
}

// Lost notes that the reader has given up the source.
func (x *source) Lost(err error) {
	x.mu.Lock()
	x.reading, x.paused = false, false
	x.lost = err
	x.retry = time.Now().Add(retryAfter)
	switch {
	case errors.Is(err, logs.ErrDenied):
		x.retry = time.Now().Add(30 * retryAfter) // somebody has to grant it
	case errors.Is(err, logs.ErrTooOld):
		x.old, x.retry = true, time.Time{} // from now on sarama reads it
	}
	x.note(err)
	x.mu.Unlock()
	x.shard.reopen()
}

// failed notes why a source could not be opened.
func (x *source) failed(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.reading {
		x.note(err)
	}
}

func (x *source) note(trouble error) {
	if x.trouble == nil {
		x.unread = time.Now()
	}
	x.trouble = trouble
}
