// Package codecs extracts event times from messages.
//
// Tiers agree on their counts only if each puts a message into the same window.
// So a [Codec] is a pure function of the record: the same bytes and the same
// record timestamp give the same answer for ever, on every machine. It never
// reads a clock, never fails, and never panics, whatever the bytes. What it needs
// beyond the record, such as a schema, it waits for: see [Learner].
//
// A [Rule] says which codecs read which topics, and from which record timestamp
// on. A [Selector] is made of rules and gives for each topic an [Extractor], which
// asks the codec and classifies what it says. The codecs of this package need no
// library worth mentioning, so that programs which count themselves can link them;
// those of other formats are packages beside it, and package all has the whole
// set. Your own are registered by name in [Builders]: docs/codecs.md.
package codecs

import "context"

// A Message is a record as its log holds it. It is borrowed: Key, Value and
// Headers are the reader's, valid until the call returns. nil is Kafka's null.
type Message struct {
	Key, Value []byte
	Headers    Headers
	Time       int64 // record timestamp, Unix milliseconds; -1 if the producer gave none
	TimeType   TimeType
}

// Beginning is a copy that is not borrowed, of which key, value and headers are at
// most so long. That is enough to learn from: see Learner.
func (m *Message) Beginning(most int) *Message {
	c := *m
	c.Key, c.Value, c.Headers = clone(m.Key[:min(most, len(m.Key))]), clone(m.Value[:min(most, len(m.Value))]), clone(m.Headers[:min(most, len(m.Headers))])
	return &c
}

// clone keeps nil and empty apart.
func clone[B ~[]byte](b B) B {
	if b == nil {
		return nil
	}
	return append(B{}, b...)
}

// A TimeType says what the record timestamp means, where the reader knows.
type TimeType uint8

// The record timestamp is set by the producer or by the broker.
const (
	TimeUnknown TimeType = iota
	CreateTime
	LogAppendTime
)

// Status says what became of the event time of a message.
type Status uint8

// None and Malformed differ: a message may well have no event time, but bytes
// that are not what the codec reads are a fault of somebody's. A tombstone has
// no event time in any format that reads the value. Only a Learner may say
// Unready.
const (
	Found Status = iota
	None
	Malformed
	Unready
)

func (s Status) String() string {
	return [...]string{Found: "found", None: "none", Malformed: "malformed", Unready: "unready"}[s]
}

// A Codec reads the event time of a message. Implementations are safe for
// concurrent use, do not keep or change the message, and allocate nothing.
type Codec interface {
	// Name says which codec this is with its settings: two codecs with the same
	// name give the same answer to every message. It goes into records.
	Name() string
	// Basis is what the time rests on: one of the audit.Basis constants.
	Basis() string
	// EventTime gives the event time in Unix milliseconds if the status is Found.
	EventTime(m *Message) (ms int64, s Status)
}

// A Learner is a codec that needs something from outside, such as the schema
// that a message names. As long as it does not have that, EventTime says Unready:
// it never guesses and never falls back, because what it would say then is not
// what it says later. Whoever counts stops before the message, calls Learn until
// it succeeds, and asks again.
type Learner interface {
	Codec
	// Learn gets what EventTime lacked for a message, of which it may see no more than
	// the beginning, a kilobyte at least. It makes one attempt, ends with ctx, and may be
	// called for the same thing by many at once. Its error is for people; the caller
	// waits and tries again.
	Learn(ctx context.Context, m *Message) error
}
