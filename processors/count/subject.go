package count

import (
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A Subject is a source as it is spoken of: what its messages mean to a counter,
// and what records say of what was counted. It is pure, so that others can count
// as this processor does without a broker. Not changed once it is made.
type Subject struct {
	audit.Identity        // of the source; of the window only the size
	Physical       string // name of the topic on its cluster, if that is another
	Host           string
	Extract        *codecs.Extractor
}

// Event makes e the event of a message that was read when a clock said read, Unix
// milliseconds; audit.NoLatency where its arrival is not to be measured. The window is that of the message
// before, or zero: most messages fall into the same one again. A message whose codec
// is not ready has none: see codecs.Learner.
func (s *Subject) Event(r *logs.Record, read int64, w *audit.Window, e *counter.Event) (ready bool) {
	ms, class, ready := s.Extract.Extract(&r.Message)
	if !ready {
		return false
	}
	if ms < 0 && class != audit.Timed {
		ms = 0 // no timestamp at all: the window at the epoch, for want of any
	}
	if start := w.Start * 1000; ms < start || ms >= start+w.Size*1000 {
		*w = audit.WindowAt(ms, s.Size)
	}
	key := s.again(r, e)
	e.Window = w.Start
	if e.Class, e.Latency = class, r.Time-ms; r.Time < 0 {
		e.Latency = audit.NoLatency
	}
	e.Arrival = audit.NoLatency
	switch {
	case class != audit.Timed:
		ms = 0
	case read != audit.NoLatency:
		e.Arrival = read - ms
	}
	e.Moment = key.Moment(ms)
	return true
}

// Again makes e the event of a message that has been counted and is read again, only
// to see whether it is the same: its codec is not asked, and so not waited for.
func (s *Subject) Again(r *logs.Record, e *counter.Event) { s.again(r, e) }

func (s *Subject) again(r *logs.Record, e *counter.Event) (key audit.KeyHash) {
	e.Offset, e.Time = r.Offset, r.Time
	e.Bytes = len(r.Key) + len(r.Value)
	e.Hash, key = audit.Hashes(r.Key, r.Value)
	return key
}

// Row is the record of a row under its key in the table, with which it shares what is
// large. The ledger is that of
// the generation.
func (s *Subject) Row(k counter.Key, r *counter.Row, led *counter.Ledger) *audit.Record {
	id := s.Identity
	id.Start = r.Window
	id.Generation, id.Segment = k.Generation, k.Segment
	rec := &audit.Record{
		Kind: audit.KindWindow, Identity: id, Physical: s.Physical, Version: r.Last, Base: led.Base, Owner: k.Owner, Host: s.Host,
		Tally: &audit.WindowTally{
			Tally: r.Tally, First: r.First, Last: r.Last, Partial: r.Partial, GenerationStart: led.Start,
			Codec: s.Extract.Codec(), TimeBasis: s.Extract.Basis(), LatencyBasis: audit.BasisUnknown, Digest: reading(led.Reading),
			FingerprintMode: audit.FingerprintMode,
		},
	}
	if !r.Arrival.Empty() {
		rec.Tally.Arrival = &r.Arrival
	}
	return rec
}

// Missed states what was missed before the generation of a ledger, which has a
// gap.
func (s *Subject) Missed(owner string, led *counter.Ledger) *audit.Record {
	id := s.identity()
	id.Generation = led.Generation
	return &audit.Record{
		Kind: audit.KindMissed, Identity: id, Physical: s.Physical, Version: led.Start, Base: led.Base, Owner: owner, Host: s.Host,
		Missed: &audit.Missed{From: led.Missed.From, To: led.Missed.To, Reason: led.Missed.Reason, Since: max(0, led.Missed.Since)},
	}
}

// identity is what all records about the source have in common.
func (s *Subject) identity() audit.Identity {
	id := s.Identity
	id.Window = audit.Window{}
	return id
}
