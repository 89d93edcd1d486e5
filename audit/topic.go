package audit

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A Passage is a message that passes. Key and Value are not kept; nil is null.
type Passage struct {
	Key, Value []byte
	// Time is the event time, Unix milliseconds, the same that all other tiers read. 0
	// says that the message has none: then it counts where the clock is.
	Time int64
	// Stamp is the record timestamp, Unix milliseconds, of a message that comes from a
	// log: where it counts if it has no event time that can be believed, as it does at the
	// tier of that log. 0: there is none, and the clock takes its place.
	Stamp     int64
	Malformed bool // the event time could not be read, because the message is broken
}

// A Topic counts the messages of one topic in a process. Its methods may be called
// from any goroutine, do not wait for I/O, and allocate nothing but for a window that
// is new.
//
// What sends, counts an attempt when it begins, and a success or a failure when it
// knows: what is neither is unknown. What only lets messages pass, calls Track. For
// a consumer, an attempt is a message that was delivered to the application, a success
// one that it has processed.
type Topic struct {
	r        *Recorder
	name     string
	stripes  []stripe
	mask     uintptr
	sequence atomic.Uint64 // of messages that were stamped
	void     bool          // counts nothing

	// Of whoever reports.
	book     book
	progress int64 // version of the last progress record
	acked    int64 // ... of the last one acknowledged
	said     bool  // hello
	quiet    int   // rounds without a progress record
}

// A stripe holds what some goroutines have counted since it was last collected. There
// are several, so that goroutines that count at the same time seldom meet.
type stripe struct {
	mu    sync.Mutex
	cur   *cell // of the last message
	cells map[int64]*cell
	_     [104]byte // to a pair of cache lines: neighbours are fetched together
}

// A cell is what a stripe has of a window.
type cell struct {
	from, to int64 // Unix milliseconds
	counts
}

// counts are what is counted in a window.
type counts struct {
	Tally              // of successes
	attempts, failures uint64
}

func (c *counts) merge(o *counts) {
	c.Tally.Merge(&o.Tally)
	c.attempts += o.attempts
	c.failures += o.failures
}

func (c *counts) empty() bool { return c.Count|c.attempts|c.failures == 0 }

// maxCells bounds how many windows a stripe has between two rounds.
const maxCells = 1024

func newTopic(r *Recorder, name string) *Topic {
	// More than can run at once, so that two that do seldom have the same.
	n := 1
	for n < min(4*runtime.GOMAXPROCS(0), 32) {
		n *= 2
	}
	t := &Topic{r: r, name: name, stripes: make([]stripe, n), mask: uintptr(n - 1), book: newBook(r.o.Windows)}
	return t
}

// Name is the topic's.
func (t *Topic) Name() string { return t.name }

// Track counts a message that passes: an attempt and a success.
func (t *Topic) Track(p *Passage) {
	var h Held
	h.hold(p, t.r.o.Fingerprint != NoFingerprint)
	t.count(&h, 1, 1, 0)
}

// Attempt counts a message that is about to be sent, or was delivered.
func (t *Topic) Attempt(p *Passage) {
	t.count(&Held{time: p.Time, stamp: p.Stamp, malformed: p.Malformed}, 1, 0, 0)
}

// Success counts a message that was acknowledged, or processed.
func (t *Topic) Success(p *Passage) {
	var h Held
	h.hold(p, t.r.o.Fingerprint != NoFingerprint)
	t.count(&h, 0, 1, 0)
}

// Failure counts a message that was given up.
func (t *Topic) Failure(p *Passage) {
	t.count(&Held{time: p.Time, stamp: p.Stamp, malformed: p.Malformed}, 0, 0, 1)
}

// A Held is what counts of a message, without the message: 48 bytes for as long as
// nobody knows what becomes of it, and safe from whoever writes over its bytes.
type Held struct {
	time, stamp int64
	bytes, hash uint64
	key         KeyHash
	malformed   bool
}

// Hold takes of a message what SuccessOf and FailureOf need later.
func (t *Topic) Hold(p *Passage) (h Held) {
	h.hold(p, t.r.o.Fingerprint != NoFingerprint)
	return h
}

func (h *Held) hold(p *Passage, fingerprint bool) {
	h.time, h.stamp, h.bytes, h.malformed = p.Time, p.Stamp, uint64(len(p.Key)+len(p.Value)), p.Malformed
	if fingerprint {
		h.hash, h.key = Hashes(p.Key, p.Value)
	}
}

// SuccessOf is Success of a message that was held.
func (t *Topic) SuccessOf(h Held) { t.count(&h, 0, 1, 0) }

// FailureOf is Failure of a message that was held.
func (t *Topic) FailureOf(h Held) { t.count(&h, 0, 0, 1) }

func (t *Topic) count(h *Held, attempt, success, failure uint64) {
	if t.void {
		t.r.stats.uncounted.Add(1)
		return
	}
	fingerprint := t.r.o.Fingerprint
	now := t.r.clock.now()
	// What a time is held against is what the tier of a log holds it against.
	base := h.stamp
	if base == 0 {
		base = now
	}
	at, class := h.time, Timed
	switch {
	case h.malformed:
		at, class = base, Malformed
	case at == 0:
		at, class = base, NoTime
	case at < base-t.r.bounds.past || at > base+t.r.bounds.future:
		at, class = base, OutOfBounds
	}
	var moment uint64
	if success > 0 && fingerprint == PowerSumFingerprint { // before anybody has to wait
		ms := at
		if class != Timed {
			ms = 0
		}
		moment = h.key.Moment(ms)
	}
	s := t.lock()
	c := s.cur
	if c == nil || at < c.from || at >= c.to {
		c = s.cell(at, int64(t.r.o.Window.Seconds()))
	}
	if c == nil || t.r.closed.Load() {
		s.mu.Unlock()
		t.r.stats.uncounted.Add(1)
		return
	}
	c.attempts += attempt
	c.failures += failure
	if success > 0 {
		c.Count++
		c.Bytes += h.bytes
		switch class {
		case Timed:
			c.Latency.Add(now - at)
		case NoTime:
			c.NoTime++
		case Malformed:
			c.Malformed++
		case OutOfBounds:
			c.OutOfBounds++
		}
		if fingerprint != NoFingerprint {
			c.Fingerprint += h.hash
			if fingerprint == PowerSumFingerprint {
				c.PowerSums.Add(h.hash)
				c.Moments.Add(moment)
			}
		}
	}
	s.mu.Unlock()
}

// lock picks a stripe and locks it. Where the stack is tells goroutines apart well
// enough; if another one is there already, the next stripe is as good.
func (t *Topic) lock() *stripe {
	var here byte
	i := uintptr(unsafe.Pointer(&here)) >> 10 * 0x9e3779b1 >> 16 & t.mask
	for range 3 {
		if s := &t.stripes[i&t.mask]; s.mu.TryLock() {
			return s
		}
		i++
	}
	s := &t.stripes[i&t.mask]
	s.mu.Lock()
	return s
}

// cell finds or makes that of an event time, and turns to it; nil if there are too many.
func (s *stripe) cell(ms, size int64) *cell {
	w := WindowAt(ms, size)
	c := s.cells[w.Start]
	if c == nil {
		if len(s.cells) >= maxCells {
			return nil
		}
		if s.cells == nil {
			s.cells = map[int64]*cell{}
		}
		c = &cell{from: w.Start * 1000, to: w.End() * 1000}
		s.cells[w.Start] = c
	}
	s.cur = c
	return c
}

// collect moves what stripes have counted into the book, and says how many messages.
func (t *Topic) collect(now int64) (n uint64) {
	gathered := map[int64]*counts{}
	for i := range t.stripes {
		s := &t.stripes[i]
		s.mu.Lock()
		for start, c := range s.cells {
			if c.empty() { // nothing since the last round: it is over
				delete(s.cells, start)
				if s.cur == c {
					s.cur = nil
				}
				continue
			}
			n += c.attempts + c.Count + c.failures
			if g := gathered[start]; g == nil {
				moved := c.counts
				gathered[start] = &moved
			} else {
				g.merge(&c.counts)
			}
			c.counts = counts{}
		}
		s.mu.Unlock()
	}
	for _, start := range slices.Sorted(maps.Keys(gathered)) {
		t.book.merge(now, start, gathered[start])
	}
	return n
}
