package auditsarama

import (
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// attempt counts a message that is about to be sent, and makes it say its time.
func attempt(r *audit.Recorder, msg *sarama.ProducerMessage) {
	if !counts(msg.Topic) {
		return
	}
	msg.Key, msg.Value = encode(msg.Key), encode(msg.Value)
	t := r.Topic(msg.Topic)
	p := audit.Passage{Key: bytesOf(msg.Key), Value: bytesOf(msg.Value)}
	ms, add := t.Stamp(p.Key, p.Value, header(msg.Headers))
	if len(add) > 0 {
		headers := slices.Grow(slices.Clip(msg.Headers), len(add)) // others may have the same array
		for _, h := range add {
			headers = append(headers, sarama.RecordHeader{Key: bytesOf(sarama.StringEncoder(h.Key)), Value: h.Value})
		}
		msg.Headers = headers
	}
	p.Time = ms
	t.Attempt(&p)
}

// outcome counts what became of a message, and gives it back as it was, but for headers.
// All that it needs is in the message; so none is remembered while it is on its way.
func outcome(r *audit.Recorder, msg *sarama.ProducerMessage, err error) {
	if !counts(msg.Topic) {
		return
	}
	t := r.Topic(msg.Topic)
	p := audit.Passage{Key: bytesOf(msg.Key), Value: bytesOf(msg.Value)}
	p.Time = t.EventTime(p.Key, p.Value, header(msg.Headers))
	if err == nil {
		t.Success(&p)
	} else {
		t.Failure(&p)
	}
	msg.Key, msg.Value = original(msg.Key), original(msg.Value)
}

// counts says whether a message can be somebody's: to a topic without a name, or with one
// that no record can say, it will be refused.
func counts(topic string) bool { return topic != "" && utf8.ValidString(topic) }

// header finds the last header of a name.
func header(headers []sarama.RecordHeader) func(name string) ([]byte, bool) {
	return func(name string) ([]byte, bool) {
		for i := len(headers) - 1; i >= 0; i-- {
			if string(headers[i].Key) == name {
				return headers[i].Value, true
			}
		}
		return nil, false
	}
}

// encoded is an Encoder that has been asked, and what it said, an error included: what
// sarama does with that is its affair. Without it what is counted could be something else
// than what is sent.
type encoded struct {
	original sarama.Encoder
	bytes    []byte
	err      error
}

func (e *encoded) Encode() ([]byte, error) { return e.bytes, e.err }
func (e *encoded) Length() int             { return len(e.bytes) }

// Unwrap is the program's own Encoder, for its Partitioners and Interceptors.
func (e *encoded) Unwrap() sarama.Encoder { return e.original }

// encode asks an Encoder, unless it is one of sarama's, which always say the same.
func encode(e sarama.Encoder) sarama.Encoder {
	switch e.(type) {
	case nil, sarama.ByteEncoder, sarama.StringEncoder, *encoded:
		return e
	}
	b, err := e.Encode()
	return &encoded{e, b, err}
}

// bytesOf are those of what encode returned; nil is null. They are only for reading.
func bytesOf(e sarama.Encoder) []byte {
	switch e := e.(type) {
	case sarama.ByteEncoder:
		return e
	case sarama.StringEncoder:
		if e == "" {
			return []byte{}
		}
		return unsafe.Slice(unsafe.StringData(string(e)), len(e)) // no copy for a hash
	case *encoded:
		return e.bytes
	}
	return nil
}

// original is what encode was given.
func original(e sarama.Encoder) sarama.Encoder {
	if e, ok := e.(*encoded); ok {
		return e.original
	}
	return e
}
