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
	subject Subject
	digest  string
	former  []counter.Former

	mu       sync.Mutex
	c        *counter.Counter // nil until recovered
	handed   uint64           // messages that the reader has handed over
	out      int              // rows handed out and not acknowledged
	e        counter.Event    // of the message at hand; here so that it is not allocated
	window   audit.Window     // of the last message
	pace     pace             // at which it is read; begins anew where the reader was made to wait
	reader   logs.Reader      // that reads it, or did last; nil if none has
	old      bool             // is not to be read in place
	reading  bool             // the reader has it open
	paused   bool             // ... and waits for a flush
	closed   int              // rows of closed segments, as the instance's pressure has them
	lost     error            // why it is no longer read; nil if it was never, or was closed by us
	retry    time.Time        // not opened before
	trouble  error            // why it could not be opened or was lost, for people; nil once it is read again
	unread   time.Time        // since when it has been in trouble
	opened   time.Time        // when it was last opened
	waiting  time.Time        // since when something has been waiting for a flush; zero if nothing is
	wants    *codecs.Message  // that the codec is not ready for; nil if there is none
	learning bool             // somebody sees to that
	learnt   int64            // offset of the last such message, -1 if there was none
	said     int64            // generation whose gap has been written by this session, -1 if none
}

// Batch counts what the reader has read, up to a message that the codec is not ready
// for.
func (x *source) Batch(b *logs.Batch) (more bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trouble = nil
	bytes := 0
	read := int64(audit.NoLatency)
	if x.pace.takes(b) && len(b.Records) > 0 {
		read = x.shard.p.o.Now().UnixMilli()
	}
	before := x.c.Stats()
	begin, n := x.c.Next(), 0
	for ; n < len(b.Records); n++ {
		if r := &b.Records[n]; r.Offset < begin {
			x.subject.Again(r, &x.e)
		} else if !x.subject.Event(r, read, &x.window, &x.e) {
			break
		}
		x.c.Add(&x.e)
		bytes += x.e.Bytes
	}
	x.handed += uint64(n)
	ready := n == len(b.Records)
	if ready {
		x.c.Advance(b.Next, b.Epoch)
	} else if x.c.Next() > begin {
		x.c.Advance(x.c.Next(), -1)
	}
	x.shard.p.metrics.consumed(n, bytes, before, x.c.Stats())
	if x.waiting.IsZero() {
		x.waiting = time.Now() // orders flushes; enters nothing that is counted
	}
	if err := x.c.Broken(); err != nil {
		x.lost = err
		x.shard.reopen()
		return false
	}
	over := x.weigh()
	if !ready {
		x.learnNext(&b.Records[n])
		return false
	}
	if x.c.Pending() > x.shard.p.o.MaxPending || over && x.closed > 0 {
		x.paused, x.pace = true, pace{}
		x.shard.p.metrics.pauses.Inc()
		x.shard.hurry()
		return false
	}
	return true
}

// weigh tells the instance how many rows of closed segments the source has.
func (x *source) weigh() (over bool) {
	before := x.closed
	x.closed = x.c.Closed()
	return x.shard.p.pressure.moved(before, x.closed)
}

// Lost notes that the reader has given up the source.
func (x *source) Lost(err error) {
	x.mu.Lock()
	x.reading, x.paused, x.pace = false, false, pace{}
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
