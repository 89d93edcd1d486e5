// Package codecs extracts event times from messages.
//
// Tiers agree on their counts only if each puts a message into the same window.
// So a [Codec] is a pure function of the record: the same bytes and the same
// record timestamp give the same answer for ever, on every machine. It never
// reads a clock, never fails, and never panics, whatever the bytes.
//
// A [Selector] chooses the codec of a topic by configuration and classifies
// what it says: see [Selector.For] and [Rule].
package codecs

import (
	"iter"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Message is a record as its log holds it. It is borrowed: Key, Value and
// Headers are the reader's, valid until the call returns. nil is Kafka's null.
type Message struct {
	Key, Value []byte
	Headers    Headers
	Time       int64 // record timestamp, Unix milliseconds; -1 if the producer gave none
	TimeType   TimeType
}

// A TimeType says what the record timestamp means, where the reader knows.
type TimeType uint8

// The record timestamp is set by the producer or by the broker.
const (
	TimeUnknown TimeType = iota
	CreateTime
	LogAppendTime
)

// Headers are record headers in the encoding of record batch v2: a varint
// count, then for each a varint-prefixed key and value. Decoded only if asked.
type Headers []byte

// All yields the headers in order; a null value is nil. Broken encodings end
// the iteration.
func (h Headers) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		n, b, ok := varint(h)
		for ; ok && n > 0; n-- {
			var k, v []byte
			if k, b, ok = field(b); !ok {
				return
			}
			if v, b, ok = field(b); !ok || !yield(k, v) {
				return
			}
		}
	}
}

// Get is the value of the last header of that name.
func (h Headers) Get(name string) (value []byte, ok bool) {
	for k, v := range h.All() {
		if string(k) == name {
			value, ok = v, true
		}
	}
	return value, ok
}

// Status says what became of the event time of a message.
type Status uint8

// None and Malformed differ: a message may well have no event time, but bytes
// that are not what the codec reads are a fault of somebody's.
const (
	Found Status = iota
	None
	Malformed
)

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

// An Extractor is what a topic's messages go through: a codec, and the rule
// about what it finds. Safe for concurrent use.
type Extractor struct {
	codec    Codec
	declared bool  // else malformed only means: no time
	past     int64 // milliseconds before the record timestamp that are believed
	future   int64 // ... and after it
}

// Extract gives the time, in Unix milliseconds, that decides the window of a
// message, and its class. Without a credible event time that is the record
// timestamp, never the clock.
func (x *Extractor) Extract(m *Message) (ms int64, class audit.Class) {
	ms, s := x.codec.EventTime(m)
	switch {
	case s == Malformed && x.declared:
		return m.Time, audit.Malformed
	case s != Found:
		return m.Time, audit.NoTime
	case m.Time >= 0 && (ms < m.Time-x.past || ms > m.Time+x.future):
		return m.Time, audit.OutOfBounds
	}
	return ms, audit.Timed
}

func varint(b []byte) (int64, []byte, bool) {
	var x uint64
	for i := 0; i < len(b) && i < 10; i++ {
		x |= uint64(b[i]&0x7f) << (7 * i)
		if b[i] < 0x80 {
			return int64(x>>1) ^ -int64(x&1), b[i+1:], true
		}
	}
	return 0, nil, false
}

func field(b []byte) (f, rest []byte, ok bool) {
	n, b, ok := varint(b)
	switch {
	case !ok || n < -1 || n > int64(len(b)):
		return nil, nil, false
	case n == -1:
		return nil, b, true
	}
	return b[:n:n], b[n:], true
}
