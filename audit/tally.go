package audit

import "math"

// A Tally is what has been counted in one window at one source. All of it adds
// up: tallies of parts give the tally of the whole, in any order and grouping.
// Not safe for concurrent use.
type Tally struct {
	Count       uint64 // messages
	Bytes       uint64 // of keys and values, uncompressed
	NoTime      uint64 // messages without an event time, counted in the window of their record timestamp
	Malformed   uint64 // messages that the declared codec could not read, likewise
	OutOfBounds uint64 // messages with an event time too far from their record timestamp, likewise
	Latency     Latency
	Fingerprint uint64    // sum of message hashes mod 2^64: see Fold
	PowerSums   PowerSums // of message ids
	Moments     PowerSums // of moments instead: what differs in PowerSums alone was altered. Zero where they are not kept
}

// An Event is what a Tally needs to know of one message.
type Event struct {
	Bytes   int
	Hash    uint64 // Hash(key, value)
	Moment  uint64 // Moment(key, event time), of time 0 unless Class is Timed
	Class   Class
	Latency int64 // milliseconds from event time to record timestamp, or NoLatency; ignored unless Class is Timed
}

// NoLatency is the latency of a message that has no record timestamp. It counts
// in no distribution.
const NoLatency = math.MinInt64

// A Class says what became of the event time of a message.
type Class uint8

// The classes exclude each other; each has its counter in Tally but Timed,
// which is the rest.
const (
	Timed       Class = iota // has an event time
	NoTime                   // has none
	Malformed                // could not be read by its declared codec
	OutOfBounds              // has one that cannot be meant
)

// Add counts one message.
func (t *Tally) Add(e *Event) {
	t.Count++
	t.Bytes += uint64(e.Bytes)
	t.Fingerprint += e.Hash
	t.PowerSums.Add(e.Hash)
	t.Moments.Add(e.Moment)
	switch e.Class {
	case Timed:
		if e.Latency != NoLatency {
			t.Latency.Add(e.Latency)
		}
	case NoTime:
		t.NoTime++
	case Malformed:
		t.Malformed++
	case OutOfBounds:
		t.OutOfBounds++
	}
}

// Merge adds another tally. It copies: o stays as it was and shares nothing.
func (t *Tally) Merge(o *Tally) {
	t.Count += o.Count
	t.Bytes += o.Bytes
	t.NoTime += o.NoTime
	t.Malformed += o.Malformed
	t.OutOfBounds += o.OutOfBounds
	t.Latency.Merge(&o.Latency)
	t.Fingerprint += o.Fingerprint
	t.PowerSums.Merge(&o.PowerSums)
	t.Moments.Merge(&o.Moments)
}

// Clone is a copy that shares nothing with t.
func (t *Tally) Clone() Tally {
	c := *t
	c.Latency = t.Latency.Clone()
	return c
}

// Equal says whether two tallies say the same.
func (t *Tally) Equal(o *Tally) bool {
	return t.Count == o.Count && t.Bytes == o.Bytes && t.NoTime == o.NoTime && t.Malformed == o.Malformed && t.OutOfBounds == o.OutOfBounds &&
		t.Fingerprint == o.Fingerprint && t.PowerSums == o.PowerSums && t.Moments == o.Moments && t.Latency.Equal(&o.Latency)
}
