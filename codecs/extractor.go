package codecs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
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

// An Extractor is what a topic's messages go through: the codec of a rule, and
// what becomes of what it says. Where rules hold from a record timestamp on, it is
// a line of them. Safe for concurrent use. Made by a [Selector].
type Extractor struct {
	steps []step // the first that holds from the message's record timestamp decides; the last always does
	codec string
	basis string
}

// A step is a rule as it is applied.
type step struct {
	codec    Codec
	from     int64 // record timestamp from which it holds, Unix milliseconds
	declared bool  // else malformed only means: no time
	past     int64 // milliseconds before the record timestamp that are believed
	future   int64 // ... and after it
}

// always is the from of what holds for all messages, also without a timestamp.
const always = int64(math.MinInt64)

func newStep(c Codec, from int64, declared bool, b Bounds) step {
	return step{codec: c, from: from, declared: declared, past: b.Past.Milliseconds(), future: b.Future.Milliseconds()}
}

// newExtractor makes one of the steps that match a topic, in order, of which the
// last holds always.
func newExtractor(list []step) *Extractor {
	x := &Extractor{}
	for _, s := range list {
		// One of a rule further down that begins no earlier is never heard.
		if n := len(x.steps); n > 0 && s.from >= x.steps[n-1].from {
			continue
		}
		x.steps = append(x.steps, s)
		if s.from == always {
			break
		}
	}
	var names []string
	x.basis = x.steps[0].codec.Basis()
	for _, s := range x.steps {
		if s.codec.Basis() != x.basis {
			x.basis = audit.BasisMixed
		}
		name := s.codec.Name()
		if s.from != always {
			name += " from " + time.UnixMilli(s.from).UTC().Format(time.RFC3339Nano)
		}
		names = append(names, name)
	}
	x.codec = strings.Join(names, "; before ")
	return x
}

// Extract gives the time, in Unix milliseconds, that decides the window of a
// message, and its class. Without a credible event time that is the record
// timestamp, never the clock; it is -1 where the producer gave none. Nothing is
// known of a message that is not ready: Learn what it needs, and ask again.
func (x *Extractor) Extract(m *Message) (ms int64, class audit.Class, ready bool) {
	r := x.step(m.Time)
	ms, s := r.codec.EventTime(m)
	switch {
	case s == Unready:
		return m.Time, audit.NoTime, false
	case s == Malformed && r.declared:
		return m.Time, audit.Malformed, true
	case s != Found:
		return m.Time, audit.NoTime, true
	case m.Time >= 0 && (ms < m.Time-r.past || ms > m.Time+r.future),
		m.Time < 0 && (ms < minTime || ms > maxTime):
		return m.Time, audit.OutOfBounds, true
	}
	return ms, audit.Timed, true
}

// step is the one that holds for a record timestamp.
func (x *Extractor) step(time int64) *step {
	i := 0
	for i < len(x.steps)-1 && time < x.steps[i].from {
		i++
	}
	return &x.steps[i]
}

// CodecAt is the codec of messages with a record timestamp, in Unix milliseconds; -1
// for those without.
func (x *Extractor) CodecAt(time int64) Codec { return x.step(time).codec }

// Learn gets what Extract lacked for a message; see [Learner].
func (x *Extractor) Learn(ctx context.Context, m *Message) error {
	return learn(ctx, x.step(m.Time).codec, m)
}

// Codec is the name of the codec, with its settings; of all of them, the newest
// first, where one follows upon another.
func (x *Extractor) Codec() string { return x.codec }

// Basis is what the event times rest on: one of the audit.Basis constants.
func (x *Extractor) Basis() string { return x.basis }

// Declared says whether the newest codec was chosen by a rule, so that bytes which
// it cannot read are malformed and not merely without a time.
func (x *Extractor) Declared() bool { return x.steps[0].declared }

// Digest is a short hash, 8 hexadecimal digits, of everything here that decides
// what a window holds. Counts under unlike digests are not compared, and a
// counter that meets a new one begins a generation. It is the same for ever:
// what it hashes may be extended only so that the digests of today stay.
func (x *Extractor) Digest(windowSize time.Duration) string {
	all := x.digests(windowSize)
	return all[len(all)-1].Digest
}

// A Former is the digest of an Extractor as it was before a rule with a record
// timestamp was put before it. Both say the same of messages with older ones.
type Former struct {
	Digest string
	Until  int64 // record timestamp, Unix milliseconds
}

// Formers are all that this one continues. A counter may go on with what was
// counted under one of them if it had not come to its Until: the rule was rolled
// out in time.
func (x *Extractor) Formers(windowSize time.Duration) []Former {
	all := x.digests(windowSize)
	return all[:len(all)-1]
}

// digests are those of the steps from the oldest up to each.
func (x *Extractor) digests(windowSize time.Duration) (list []Former) {
	s := fmt.Sprintf("3\nwindow=%d\nfingerprint=%q\n", windowSize.Milliseconds(), audit.FingerprintMode)
	for _, r := range slices.Backward(x.steps) {
		if n := len(list); n > 0 {
			list[n-1].Until = r.from
			s += fmt.Sprintf("from=%d\n", r.from)
		}
		s += fmt.Sprintf("codec=%q\ndeclared=%t\npast=%d\nfuture=%d\n", r.codec.Name(), r.declared, r.past, r.future)
		list = append(list, Former{Digest: fmt.Sprintf("%08x", uint32(xxh3.HashString(s)>>32))})
	}
	return list
}
