// Package codecs extracts event times from messages.
//
// Tiers agree on their counts only if each puts a message into the same window.
// So a [Codec] is a pure function of the record: the same bytes and the same
// record timestamp give the same answer for ever, on every machine. It never
// reads a clock, never fails, and never panics, whatever the bytes.
//
// A [Rule] says which codec reads which topics. A [Selector] is made of rules
// and gives for each topic an [Extractor], which asks the codec and classifies
// what it says. The codecs of this package are [JSON] and [Record]; others are
// registered by name in [Builders], next to those of [Standard].
package codecs

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

// Status says what became of the event time of a message.
type Status uint8

// None and Malformed differ: a message may well have no event time, but bytes
// that are not what the codec reads are a fault of somebody's. A tombstone has
// no event time in any format that reads the value.
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
