package count

import (
	"context"
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// unready is why a source is not read on: its codec needs something from outside to
// read a message, such as a schema from a registry that does not answer. The source
// is lost to its reader, as with any other loss, and opened again at the message when
// the codec has what it lacked. Until then nothing is counted of it, because what a
// codec that guesses would say now is not what it says later.
type unready struct {
	offset int64
	codec  string
}

func (e *unready) Error() string {
	return fmt.Sprintf("codec %s has not learnt yet how to read the message at offset %d", e.codec, e.offset)
}

// learnNext is called by Batch when the codec is not ready for a message. What came
// before it is counted; the epoch there is not known.
func (x *source) learnNext(r *logs.Record) {
	x.lost = &unready{r.Offset, x.subject.Extract.Codec()}
	x.wants = r.Message.Beginning(learnFrom)
	x.reading = false
	if x.learnt == r.Offset { // it was told, and still does not know
		x.retry = time.Now().Add(retryAfter)
		x.note(x.lost)
	}
	x.learnt = r.Offset
	x.shard.reopen()
}

// learn gets what a source wants, if there is anything and nobody is at it. The
// source waits until that has succeeded.
func (s *shard) learn(ctx context.Context, x *source) (waits bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.wants == nil {
		return false
	}
	if !x.learning {
		x.learning = true
		wants := x.wants
		s.learners.Go(func() { s.keepLearning(ctx, x, wants) })
	}
	return true
}

const (
	// Bounds of the time between two attempts to learn the same.
	learnAfter  = 500 * time.Millisecond
	learnAtMost = 15 * time.Second
	// learnFor is how long is tried before the source is read again all the same: what
	// is wanted may have become another thing, such as a broker that is newer now.
	learnFor = 2 * time.Minute
	// learnFrom is how much is kept of a message to learn from: thousands of sources may
	// wait for one registry.
	learnFrom = 1 << 10
)

func (s *shard) keepLearning(ctx context.Context, x *source, wants *codecs.Message) {
	begin := time.Now()
	for pause := learnAfter; ; pause = min(2*pause, learnAtMost) {
		err := x.subject.Extract.Learn(ctx, wants)
		x.mu.Lock()
		if err != nil {
			x.note(fmt.Errorf("%w: %w", x.lost, err))
		}
		if err == nil || ctx.Err() != nil || !s.p.dir.lists(x.Source) || time.Since(begin) > learnFor {
			x.wants, x.learning = nil, false
			x.mu.Unlock()
			s.reopen()
			return
		}
		x.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}
