package inplace

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A place is how far a source has been read.
type place struct {
	next  int64
	epoch int32 // leader epoch of what lies before next, -1 if not known
}

// A portion is what a response holds of one source. Everything in it aliases
// the response.
type portion struct {
	batches       []byte
	aborted       []kmsg.FetchResponseTopicPartitionAbortedTransaction
	stable, start int64
}

const (
	// handOver is how many records go into one logs.Batch, whose borders have
	// nothing to do with those of the log.
	handOver = logs.MostRecords
	// inflateAhead is how much may wait inflated before more is inflated.
	inflateAhead = 256 << 10
)

// A walker hands the records of portions to sinks: of committed transactions and
// of none, never of aborted ones. It keeps its buffers from one portion to the
// next.
type walker struct {
	inflater
	it      records
	records []logs.Record // [:n] wait to be handed over
	n, used int           // used: the most that there were, of this portion
	out     logs.Batch
	aborts  aborts

	sink logs.Sink
	at   place // read up to here
	to   place // handed over up to here
	more bool  // the sink takes more
	told bool  // the sink has been called
	// turns is where other epochs have begun, also behind what was handed over.
	turns []epochStart
	// claimed is where a batch ends that is damaged, as it says itself.
	claimed int64
}

// walk hands over what lies behind at, and says how far it came: to the end of
// the portion, to where the sink paused (more is false), or to what cannot be
// read, with the error. The sink is called at least once, if it can be, so that
// it hears where the log ends even if there is nothing to read.
func (w *walker) walk(p *portion, at place, sink logs.Sink) (to place, more bool, err error) {
	if w.records == nil {
		w.records = make([]logs.Record, handOver)
	}
	w.sink, w.at, w.to, w.more, w.told = sink, at, at, true, false
	w.out.Stable, w.out.Start, w.turns = p.stable, p.start, w.turns[:0]
	w.claimed = 0
	w.aborts.open(p.aborted)
	err = w.all(p.batches)
	if w.more && (w.n > 0 || w.to != w.at || !w.told && err == nil) {
		w.hand(w.at)
	}
	// Nothing of the response is kept: it is large, and the next may be long in coming.
	clear(w.records[:w.used])
	w.n, w.used, w.sink, w.out.Records = 0, 0, nil, nil
	w.reset()
	return w.to, w.more, err
}

// all walks the batches, until the sink pauses.
func (w *walker) all(rest []byte) error {
	end := int64(-1) // of the last batch
	for first := true; len(rest) > 0; first = false {
		h, err := parseHead(rest)
		switch {
		case err == errCut && !first:
			return nil // its beginning only, for want of room
		case err != nil:
			return w.corrupt(0, err)
		}
		batch := rest[:h.size]
		rest = rest[h.size:]
		switch {
		case !sound(batch):
			w.claimed = h.next
			return w.corrupt(extent(&h, rest), errCRC)
		case h.base < end:
			return w.corrupt(h.next, errOrder)
		}
		if end = h.next; h.next <= w.at.next {
			continue
		}
		if err := w.batch(batch, &h); err != nil || !w.more {
			return err
		}
	}
	return nil
}

// batch walks the records of one batch.
func (w *walker) batch(batch []byte, h *head) error {
	body := batch[headSize:]
	if h.epoch != w.at.epoch {
		w.turns = append(w.turns, epochStart{h.epoch, w.at.next})
	}
	w.aborts.reach(h.next)
	switch {
	case h.attrs&attrControl != 0:
		w.aborts.marker(h, body)
	case h.attrs&attrTransactional != 0 && w.aborts.has(h.producer), h.count == 0:
	default:
		if w.n > 0 && len(w.buf) > inflateAhead && !w.hand(w.at) {
			return nil
		}
		if w.n == 0 {
			w.reset()
		}
		body, err := w.inflate(body, h.attrs&attrCodec)
		if err != nil {
			return w.corrupt(h.next, err)
		}
		w.it.open(h, body, w.at.next)
		before := w.n // what waits of earlier batches
		for {
			r := &w.records[w.n]
			done, ok := w.it.read(r)
			if !ok {
				w.n = before
				return w.corrupt(h.next, errRecord)
			}
			if done {
				break
			}
			if w.n++; w.n < len(w.records) {
				continue
			}
			before = 0
			if !w.hand(place{r.Offset + 1, h.epoch}) {
				return nil
			}
		}
	}
	w.at = place{h.next, h.epoch}
	return nil
}

// hand hands over what waits, as everything before a place.
func (w *walker) hand(to place) (more bool) {
	w.at, w.to, w.told = to, to, true
	w.out.Records, w.out.Next, w.out.Epoch = w.records[:w.n], to.next, to.epoch
	w.used, w.n = max(w.used, w.n), 0
	w.more = w.sink.Batch(&w.out)
	return w.more
}

// extent is where a batch ends whose checksum is wrong, as far as that is known: its
// head may be what is damaged. What follows it tells; else two fields that say the
// same. 0 is that nobody knows, until something follows.
func extent(h *head, rest []byte) int64 {
	if next, err := parseHead(rest); err == nil && next.base > h.base && sound(rest[:next.size]) {
		return next.base
	}
	if h.next-h.base == int64(h.count) {
		return h.next
	}
	return 0
}

var errOrder = errors.New("it begins before the end of the one before it")

// corrupt is the error about what lies at the position. to is where the batch
// ends, if its head says so.
func (w *walker) corrupt(to int64, cause error) error {
	if errors.Is(cause, logs.ErrTooOld) {
		return fmt.Errorf("at offset %d: %w", w.at.next, cause)
	}
	e := &logs.Corrupt{From: w.at.next, Cause: cause}
	if to > e.From {
		e.To = to
	}
	return e
}

// aborts knows which producers are inside a transaction that will be aborted. The
// broker lists the transactions that a portion touches, each with its first
// offset; the marker in the log ends it.
type aborts struct {
	coming []kmsg.FetchResponseTopicPartitionAbortedTransaction // by first offset
	inside map[int64]struct{}
}

func (a *aborts) open(list []kmsg.FetchResponseTopicPartitionAbortedTransaction) {
	slices.SortFunc(list, func(x, y kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return cmp.Compare(x.FirstOffset, y.FirstOffset)
	})
	a.coming = list
	clear(a.inside)
}

// reach takes up the transactions that begin before an offset.
func (a *aborts) reach(next int64) {
	for len(a.coming) > 0 && a.coming[0].FirstOffset < next {
		if a.inside == nil {
			a.inside = map[int64]struct{}{}
		}
		a.inside[a.coming[0].ProducerID] = struct{}{}
		a.coming = a.coming[1:]
	}
}

func (a *aborts) has(producer int64) bool {
	_, ok := a.inside[producer]
	return ok
}

// marker ends the transaction that a control batch aborts. Its record's key is a
// version and a type, 0 for abort, of two bytes each.
func (a *aborts) marker(h *head, body []byte) {
	if len(a.inside) == 0 {
		return
	}
	var x records
	var r logs.Record
	x.open(h, body, h.base)
	if _, ok := x.read(&r); ok && len(r.Key) >= 4 && binary.BigEndian.Uint16(r.Key[2:]) == 0 {
		delete(a.inside, h.producer)
	}
}
