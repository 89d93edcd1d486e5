package audit

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// TimeHeader is the header in which adapters stamp the event time: Unix milliseconds in
// decimal digits.
const TimeHeader = "chaperone-time"

// Headers that adapters add if Options.Identify asks for it. They make exact later what
// is unknown when a process vanishes: the first names the message, the second says
// which it is of those that this process sent to the topic, as instance:number.
const (
	IDHeader       = "chaperone-id"
	SequenceHeader = "chaperone-seq"
)

// cloudTimeHeader is CloudEvents' attribute time in binary content mode.
const cloudTimeHeader = "ce_time"

// A Header is a record header.
type Header struct {
	Key   string
	Value []byte
}

// Stamp gives the event time of a message that is about to be sent, and the headers
// that it lacks, so that all later tiers read the same time without decoding anything.
// What is there is respected: chaperone-time, then CloudEvents' ce_time. Else the time
// is what Options.EventTime reads, and if there is none, now. get is asked for the last
// header of a name. What is added is only for reading: messages share it.
//
// Who sends a message again, such as a client that retries by itself, must not stamp it
// again with another time; once stamped, it is found to be.
func (t *Topic) Stamp(key, value []byte, get func(name string) (value []byte, ok bool)) (ms int64, add []Header) {
	if ms, ok := stamped(get); ok {
		return ms, nil
	}
	ms, ok := int64(0), false
	if f := t.r.o.EventTime; f != nil {
		ms, ok = f(t.name, key, value)
	}
	if !ok {
		ms = t.r.clock.now()
	}
	add = t.r.stamps.of(ms)
	if t.r.o.Identify {
		if _, ok := get(IDHeader); !ok {
			add = append(add, Header{IDHeader, []byte(uuid.NewString())})
		}
		n := strconv.AppendUint([]byte(t.r.o.Instance+":"), t.sequence.Add(1), 10)
		add = append(add, Header{SequenceHeader, n})
	}
	return ms, add
}

// stamps has the header of the last time that was stamped: most messages of a busy
// program have the time of the one before, and to make it anew costs two allocations.
type stamps struct{ last atomic.Pointer[stamp] }

type stamp struct {
	ms     int64
	header []Header // one, and no room for more
}

func (s *stamps) of(ms int64) []Header {
	if last := s.last.Load(); last != nil && last.ms == ms {
		return last.header
	}
	n := &stamp{ms, []Header{{TimeHeader, strconv.AppendInt(nil, ms, 10)}}}
	s.last.Store(n)
	return n.header
}

// EventTime is the time of a message that was delivered: what its headers say, else
// what Options.EventTime reads, else 0, for none.
func (t *Topic) EventTime(key, value []byte, get func(name string) (value []byte, ok bool)) int64 {
	if ms, ok := stamped(get); ok {
		return ms
	}
	if f := t.r.o.EventTime; f != nil {
		if ms, ok := f(t.name, key, value); ok {
			return ms
		}
	}
	return 0
}

// stamped is the time that headers say.
func stamped(get func(name string) ([]byte, bool)) (ms int64, ok bool) {
	if b, ok := get(TimeHeader); ok {
		if ms, err := strconv.ParseInt(string(b), 10, 64); err == nil {
			return ms, true
		}
	}
	if b, ok := get(cloudTimeHeader); ok {
		if at, err := time.Parse(time.RFC3339Nano, string(b)); err == nil {
			return at.UnixMilli(), true
		}
	}
	return 0, false
}
