// Package logs reads the logs of source partitions, for whoever counts them.
//
// A [Reader] reads any number of sources of one cluster and hands each source's
// records, in order, to its [Sink], as [Batch]es that are borrowed and carry the
// exact position after them. It says what it does not know (-1) instead of
// guessing, and it tells apart the ways in which a source can end.
package logs

import (
	"context"
	"errors"
	"fmt"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// A Record is one message of a log. It is borrowed, with all that it refers to,
// until the call that handed it over returns.
type Record struct {
	Offset int64
	codecs.Message
}

// MostRecords is how many records a Batch may have: enough that locks cost nothing,
// few enough that they stay in the first cache.
const MostRecords = 128

// A Batch is a run of records of one source, offsets rising, and the position
// after it. Records may be empty: control batches, aborted transactions and
// compacted tails move Next alone.
type Batch struct {
	Records []Record
	Next    int64 // read up to here; caught up when Next == Stable
	Stable  int64 // last stable offset when fetched, -1 if the reader does not know
	Start   int64 // log start offset, -1 if the reader does not know
	Epoch   int32 // leader epoch of the log before Next, -1 if the reader does not know
}

// A Position is where a source is read on.
type Position struct {
	Next  int64 // the first offset that has not been read
	Epoch int32 // leader epoch of the log before Next, -1 if not known
	Last  int64 // offset of the last record that was read, if the log may still have it; else -1
}

// At is a position of which only the offset is known.
func At(offset int64) Position { return Position{Next: offset, Epoch: -1, Last: -1} }

// Again is where a reader begins that cannot hold the epoch against the log: at
// the last record, so that whoever has read it can compare.
func (p Position) Again() int64 {
	if p.Last >= 0 {
		return p.Last
	}
	return p.Next
}

// A Sink takes what one source yields. Calls for one source never overlap.
type Sink interface {
	// Batch takes a batch. It must not block on anything but short locks; if it
	// answers more=false, the source pauses after this batch until Resume.
	Batch(b *Batch) (more bool)
	// Lost says that the source is no longer read, and why. It is the last call.
	Lost(err error)
}

// A Reader reads sources of one cluster. It retries by itself what time can
// heal: leaders, throttling, connections. Its methods may be called from any
// goroutine, and never from inside a Sink's call.
type Reader interface {
	// Open begins to read a source. It does not wait for the cluster: whatever is
	// wrong arrives by Lost. A source is open at most once.
	Open(src audit.Source, from Position, s Sink) error
	// Resume goes on with a paused source; anything else is left as it is.
	Resume(src audit.Source)
	// Close ends the reading of a source. When it returns, no call of its sink
	// is under way and none will follow. A source not open is no error.
	Close(src audit.Source)
	// Shutdown closes all sources and connections.
	Shutdown(ctx context.Context) error
}

// How a source can be lost. ErrUnavailable is what is left when retrying did
// not help: opening it again later may.
var (
	ErrTruncated   = errors.New("the log was cut below what had been read")
	ErrRecreated   = errors.New("the topic was deleted and made again")
	ErrGone        = errors.New("the topic or partition does not exist")
	ErrCorrupt     = errors.New("the log has batches that cannot be read")
	ErrTooOld      = errors.New("it is too old to be read in place")
	ErrDenied      = errors.New("reading is not allowed: grant READ and DESCRIBE on the topic")
	ErrUnavailable = errors.New("the source cannot be read at the moment")
)

// OutOfRange says that the log does not hold the offset asked for: retention
// was faster, or the log was cut. The edges are asked for by whoever needs them.
type OutOfRange struct{ Offset int64 }

func (e *OutOfRange) Error() string {
	return fmt.Sprintf("offset %d is out of the log's range", e.Offset)
}

// Truncated is an ErrTruncated that knows where: before End the log is the one that
// was read; from there on it is not, or not there.
type Truncated struct{ End int64 }

func (e *Truncated) Error() string {
	return fmt.Sprintf("%v: what was read ends at offset %d now", ErrTruncated, e.End)
}

func (e *Truncated) Unwrap() error { return ErrTruncated }

// Corrupt is an ErrCorrupt that knows where: [From, To) cannot be read. To is 0
// if nobody can tell where the damage ends.
type Corrupt struct {
	From, To int64
	Cause    error
}

func (e *Corrupt) Error() string {
	if e.To == 0 {
		return fmt.Sprintf("%v: at offset %d: %v", ErrCorrupt, e.From, e.Cause)
	}
	return fmt.Sprintf("%v: offsets %d to %d: %v", ErrCorrupt, e.From, e.To-1, e.Cause)
}

func (e *Corrupt) Unwrap() []error { return []error{ErrCorrupt, e.Cause} }
