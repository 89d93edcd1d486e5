package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// Sarama is a Reader on sarama's partition consumers. sarama hides control
// records, aborted transactions and where batches end, and what a record
// timestamp means; so Stable, Start, Epoch and TimeType are unknown, and Next is
// only the offset after the last record.
type Sarama struct {
	consumer sarama.Consumer
	mayHold  int64
	holding  atomic.Int64 // sources that are paused and keep what they were given

	mu     sync.Mutex
	open   map[audit.Source]*saramaSource
	closed bool
}

var _ Reader = (*Sarama)(nil)

// NewSarama connects to a cluster. The configuration is the reader's own from
// then on, as shards.SourceConfig makes it.
func NewSarama(brokers []string, config *sarama.Config) (*Sarama, error) {
	c, err := sarama.NewConsumer(brokers, config)
	if err != nil {
		return nil, fmt.Errorf("connect a reader to %v: %w", brokers, err)
	}
	return &Sarama{consumer: c, mayHold: holdAtMost, open: map[audit.Source]*saramaSource{}}, nil
}

// holdAtMost is what Hold overrides.
const holdAtMost = 8

// Hold sets how many sources may keep, while they are paused, what they have been
// given and not taken; call it before anything is opened. A partition consumer
// keeps by that the whole response that it is part of, of all partitions, and has
// no way to put it back. So those above the number let go of theirs, and when they
// are resumed are opened anew where they were: more is read twice, and memory does
// not grow with the number of paused sources.
func (r *Sarama) Hold(n int) { r.mayHold = int64(n) }

// saramaSource is one open source, with a goroutine of its own.
type saramaSource struct {
	sink   Sink
	resume chan struct{}
	quit   chan struct{} // closed by Close
	done   chan struct{} // closed when the goroutine has ended
	losing bool          // its last call is under way; guarded by the Reader's lock
}

// Open asks for edges and leaders in the source's own goroutine: one after the
// other, a thousand sources would each wait behind the long poll of the others.
func (r *Sarama) Open(src audit.Source, from Position, sink Sink) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for old := r.open[src]; old != nil; old = r.open[src] {
		if !old.losing {
			return fmt.Errorf("read %s: already open", src)
		}
		r.mu.Unlock()
		<-old.done // its last call returns
		r.mu.Lock()
	}
	if r.closed {
		return fmt.Errorf("read %s: the reader is shut down", src)
	}
	s := &saramaSource{sink: sink, resume: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
	r.open[src] = s
	go func() {
		defer close(s.done)
		err := r.read(src, from.Again(), s)
		r.mu.Lock()
		s.losing = true
		r.mu.Unlock()
		select {
		case <-s.quit:
		default:
			sink.Lost(err)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.open[src] == s {
			delete(r.open, src)
		}
	}()
	return nil
}

// Resume goes on with a paused source.
func (r *Sarama) Resume(src audit.Source) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.open[src]; s != nil {
		select {
		case s.resume <- struct{}{}:
		default:
		}
	}
}

// Close ends the reading of a source and waits for its goroutine.
func (r *Sarama) Close(src audit.Source) {
	r.mu.Lock()
	s := r.open[src]
	delete(r.open, src)
	r.mu.Unlock()
	if s != nil {
		close(s.quit)
		<-s.done
	}
}

// Shutdown closes all sources, then the connections.
func (r *Sarama) Shutdown(context.Context) error {
	r.mu.Lock()
	r.closed = true
	open := r.open
	r.open = map[audit.Source]*saramaSource{}
	r.mu.Unlock()
	for _, s := range open {
		close(s.quit)
	}
	for _, s := range open {
		<-s.done
	}
	if err := r.consumer.Close(); err != nil {
		return fmt.Errorf("close the reader: %w", err)
	}
	return nil
}

// read reads until the source is closed or lost, and says why it was lost.
func (r *Sarama) read(src audit.Source, from int64, s *saramaSource) error {
	for {
		next, err := r.stretch(src, from, s)
		if !errors.Is(err, errLetGo) {
			return err
		}
		if !s.resumed() {
			return nil
		}
		from = next
	}
}

// errLetGo says that a source is paused without a partition consumer.
var errLetGo = errors.New("paused, and let go")

// resumed waits while the source is paused; false says that it was closed.
func (s *saramaSource) resumed() bool {
	select {
	case <-s.resume:
		return true
	case <-s.quit:
		return false
	}
}

// stretch reads with one partition consumer, up to next.
func (r *Sarama) stretch(src audit.Source, from int64, s *saramaSource) (next int64, err error) {
	pc, err := r.consumer.ConsumePartition(src.Topic, src.Partition, from)
	if err != nil {
		return from, lost(err, from)
	}
	next = from
	defer func() {
		pc.AsyncClose()
		go func() {
			for range pc.Errors() {
			}
		}()
		for range pc.Messages() { // until it is closed: only then may the source be opened again
		}
	}()
	for {
		select {
		case <-s.quit:
			return next, nil
		case e, ok := <-pc.Errors():
			if !ok || permanent(e.Err) {
				if ok {
					err = e.Err
				}
				return next, lost(err, next)
			}
			err = e.Err // sarama tries again
		case m, ok := <-pc.Messages():
			if !ok {
				for e := range pc.Errors() { // closed as well: the last one says why
					err = e.Err
				}
				return next, lost(err, next)
			}
			room := rooms.Get().(*room)
			room.take(m, pc.Messages())
			next = room.records[len(room.records)-1].Offset + 1
			more := s.sink.Batch(&Batch{Records: room.records, Next: next, Stable: -1, Start: -1, Epoch: -1})
			room.leave()
			if more {
				continue
			}
			if r.holding.Add(1) > r.mayHold {
				r.holding.Add(-1)
				return next, errLetGo
			}
			resumed := s.resumed()
			r.holding.Add(-1)
			if !resumed {
				return next, nil
			}
		}
	}
}

// A room is where a batch is made. It is borrowed for as long as a Sink takes:
// of thousands of sources few have something at a time, and one that kept its
// last batch would keep the fetch response that the batch points into.
type room struct {
	records []Record
	headers []byte // encoded
}

var rooms = sync.Pool{New: func() any { return new(room) }}

// take fills the room with a message and those that wait behind it.
func (r *room) take(m *sarama.ConsumerMessage, waiting <-chan *sarama.ConsumerMessage) {
	more := min(len(waiting), MostRecords-1)
	r.records = slices.Grow(r.records, more+1)[:more+1]
	r.record(0, m)
	for i := 1; i <= more; i++ {
		m, ok := <-waiting
		if !ok {
			r.records = r.records[:i]
			return
		}
		r.record(i, m)
	}
}

func (r *room) record(i int, m *sarama.ConsumerMessage) {
	rec := &r.records[i]
	rec.Offset, rec.Key, rec.Value, rec.Time = m.Offset, m.Key, m.Value, -1
	if !m.Timestamp.IsZero() {
		rec.Time = m.Timestamp.UnixMilli()
	}
	if len(m.Headers) > 0 {
		begin := len(r.headers)
		r.headers = codecs.AppendHeaderCount(r.headers, len(m.Headers))
		for _, h := range m.Headers {
			r.headers = codecs.AppendHeader(r.headers, h.Key, h.Value)
		}
		rec.Headers = r.headers[begin:len(r.headers):len(r.headers)]
	}
}

// leave gives the room back, with nothing of the batch left in it.
func (r *room) leave() {
	clear(r.records)
	r.records, r.headers = r.records[:0], r.headers[:0]
	rooms.Put(r)
}

// permanent says that sarama will not heal the error by itself.
func permanent(err error) bool {
	return errors.Is(err, sarama.ErrOffsetOutOfRange) || errors.Is(err, sarama.ErrTopicAuthorizationFailed) ||
		errors.Is(err, sarama.ErrUnknownTopicOrPartition) // by name it might go on in another topic made meanwhile
}

// lost is the way in which a source ended, in this package's words.
func lost(err error, at int64) error {
	switch {
	case errors.Is(err, sarama.ErrOffsetOutOfRange):
		return &OutOfRange{Offset: at}
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case errors.Is(err, sarama.ErrTopicAuthorizationFailed), errors.Is(err, sarama.ErrClusterAuthorizationFailed):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case err == nil:
		return fmt.Errorf("%w: sarama's partition consumer ended at offset %d", ErrUnavailable, at)
	}
	return fmt.Errorf("%w: at offset %d: %w", ErrUnavailable, at, err)
}
