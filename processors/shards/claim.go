package shards

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// A Worker does the work of claimed partitions. Work is called once for each
// claim, concurrently for different ones.
type Worker interface {
	// Work works a claim until ctx ends, which is when the claim does: writes are
	// then no longer possible. If Draining is closed before, it should Send what
	// it has left and return nil. Any error ends the session, for all claims.
	Work(ctx context.Context, c *Claim) error
}

// A Claim is one partition of the group's input for as long as the session owns
// it. Its methods may be called from any goroutine, Send from one at a time.
type Claim struct {
	Partition int32
	Claims    int    // that the session has, this one included
	Owner     string // names the session in keys; unique among all sessions ever
	// Began is when the session did, before tables were recovered.
	Began time.Time
	// Table holds what the group table had in this partition when the session
	// began, and what has been sent since, until it is told to Release it; nil if
	// the group has no table.
	Table *Store
	// Start is the committed position in the input topic, from which it is read;
	// negative if there is none.
	Start int64
	// Messages are those of the input topic. A formal topic never has any.
	Messages <-chan *sarama.ConsumerMessage
	// Draining is closed when the program is about to stop: see Worker.
	Draining <-chan struct{}

	input   string
	session *session
	out     chan *sarama.ConsumerMessage // what goka reads
	marks   *marks
}

// A Message is something to be stored, emitted, or both, by one callback.
type Message struct {
	Key    string // in the table
	Value  []byte // for the table; nil leaves it as it is
	Delete bool   // removes Key from the table

	EmitKey string // on the output
	Emit    []byte // nil emits nothing
	EmitTo  string // topic that it is emitted to; empty: the group's first output
	Unsay   bool   // emits a tombstone for EmitKey, whatever Emit is
}

// Send hands messages to goka and returns when all of what they say is
// acknowledged. After an error any part of it may have been written, or may
// still be: only a later session knows.
func (c *Claim) Send(ctx context.Context, msgs []Message) error {
	if len(msgs) == 0 {
		return nil
	}
	done, err := c.marks.expect(len(msgs))
	if err != nil {
		return fmt.Errorf("shard %d: %w", c.Partition, err)
	}
	for i := range msgs {
		select {
		case c.out <- c.synthetic(&msgs[i]):
		case <-ctx.Done():
			return fmt.Errorf("shard %d: %w", c.Partition, context.Cause(ctx))
		}
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("shard %d: %w", c.Partition, context.Cause(ctx))
	}
}

// Names of the headers that carry a Message past goka, whose callback gets key,
// value and headers.
const (
	headerDelete  = "delete"
	headerKeep    = "keep"
	headerEmitKey = "emit-key"
	headerEmit    = "emit"
	headerEmitTo  = "emit-to"
	headerUnsay   = "unsay"
)

func (c *Claim) synthetic(m *Message) *sarama.ConsumerMessage {
	s := &sarama.ConsumerMessage{Topic: c.input, Partition: c.Partition, Key: []byte(m.Key), Value: m.Value}
	header := func(name string, value []byte) {
		s.Headers = append(s.Headers, &sarama.RecordHeader{Key: []byte(name), Value: value})
	}
	switch {
	case m.Delete:
		header(headerDelete, nil)
	case m.Value == nil:
		header(headerKeep, nil)
	}
	if s.Value == nil {
		s.Value = []byte{} // goka drops messages with a null value
	}
	if m.Emit == nil && !m.Unsay {
		return s
	}
	header(headerEmitKey, []byte(m.EmitKey))
	if m.Unsay {
		header(headerUnsay, nil)
	} else {
		header(headerEmit, m.Emit)
	}
	if m.EmitTo != "" {
		header(headerEmitTo, []byte(m.EmitTo))
	}
	return s
}

// Confirm asks the group coordinator whether the session still owns its
// partitions. Only an answer asked for after an acknowledgement proves that
// every later owner will find what was acknowledged.
func (c *Claim) Confirm() bool { return c.session.confirm() }

// Commit commits the position in the input topic: the next offset to be read.
// The coordinator refuses it if the session is no longer current.
func (c *Claim) Commit(next int64) {
	s := c.session.ConsumerGroupSession
	s.MarkOffset(c.input, c.Partition, next, "")
	s.Commit()
}

// InFlight is how many messages have been sent and are not acknowledged.
func (c *Claim) InFlight() int { return c.marks.inFlight() }

// marks counts the messages that goka has still to finish. goka marks each
// message once, when all writes of its callback are acknowledged.
type marks struct {
	mu   sync.Mutex
	left int
	done chan struct{} // closed when left reaches 0
}

// errMarkedTwice: then nobody knows which of the messages sent next is
// acknowledged, and the session must end.
var errMarkedTwice = errors.New("goka has marked more messages than it was given")

func (m *marks) expect(n int) (<-chan struct{}, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left < 0 {
		return nil, errMarkedTwice
	}
	m.left, m.done = n, make(chan struct{})
	return m.done, nil
}

func (m *marks) mark() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left--; m.left == 0 {
		close(m.done)
	}
}

func (m *marks) inFlight() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(0, m.left)
}
