package codecs

import (
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/chaperone-audit/chaperone/audit"
)

// Bounds say how far an event time may be from the record timestamp and still
// be believed. Zero stands for the default. They are counted in milliseconds.
type Bounds struct {
	Past   time.Duration // how much older than the record it may be
	Future time.Duration // how much newer
}

// What is believed where nothing else is configured. A message may wait a week
// for its producer to come back, as long as Kafka keeps one by default. Only a
// wrong clock makes an event newer than its record, and an hour allows for a
// local time taken for UTC across one change of daylight saving.
const (
	DefaultPast   = 7 * 24 * time.Hour
	DefaultFuture = time.Hour
)

// or fills what is zero from d.
func (b Bounds) or(d Bounds) Bounds {
	if b.Past == 0 {
		b.Past = d.Past
	}
	if b.Future == 0 {
		b.Future = d.Future
	}
	return b
}

// The years 0000 to 9999, all that RFC 3339 can write, in Unix milliseconds.
// They bound an event time where there is no record timestamp to hold it against.
const (
	minTime = -62167219200000
	maxTime = 253402300799999
)

// An Extractor is what a topic's messages go through: a codec, and the rule
// about what it finds. Safe for concurrent use. Made by a [Selector].
type Extractor struct {
	codec    Codec
	declared bool  // else malformed only means: no time
	past     int64 // milliseconds before the record timestamp that are believed
	future   int64 // ... and after it
}

func newExtractor(c Codec, declared bool, b Bounds) *Extractor {
	return &Extractor{codec: c, declared: declared, past: b.Past.Milliseconds(), future: b.Future.Milliseconds()}
}

// Extract gives the time, in Unix milliseconds, that decides the window of a
// message, and its class. Without a credible event time that is the record
// timestamp, never the clock; it is -1 where the producer gave none.
func (x *Extractor) Extract(m *Message) (ms int64, class audit.Class) {
	ms, s := x.codec.EventTime(m)
	switch {
	case s == Malformed && x.declared:
		return m.Time, audit.Malformed
	case s != Found:
		return m.Time, audit.NoTime
	case m.Time >= 0 && (ms < m.Time-x.past || ms > m.Time+x.future),
		m.Time < 0 && (ms < minTime || ms > maxTime):
		return m.Time, audit.OutOfBounds
	}
	return ms, audit.Timed
}

// Codec is the name of the codec, with its settings.
func (x *Extractor) Codec() string { return x.codec.Name() }

// Basis is what the event times rest on: one of the audit.Basis constants.
func (x *Extractor) Basis() string { return x.codec.Basis() }

// Declared says whether the codec was chosen by a rule, so that bytes which it
// cannot read are malformed and not merely without a time.
func (x *Extractor) Declared() bool { return x.declared }

// Digest is a short hash, 8 hexadecimal digits, of everything here that decides
// what a window holds. Counts under unlike digests are not compared, and a
// counter that meets a new one begins a generation. It is the same for ever:
// what it hashes may be extended only so that the digests of today stay.
func (x *Extractor) Digest(windowSize time.Duration) string {
	s := fmt.Sprintf("1\ncodec=%q\ndeclared=%t\npast=%d\nfuture=%d\nwindow=%d\nfingerprint=%q\n",
		x.codec.Name(), x.declared, x.past, x.future, windowSize.Milliseconds(), audit.FingerprintMode)
	return fmt.Sprintf("%08x", uint32(xxh3.HashString(s)>>32))
}
