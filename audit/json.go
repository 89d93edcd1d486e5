package audit

import (
	"encoding/json"
	"slices"
	"strconv"
)

// FormatVersion is the version of the wire format, in the field v. It rises
// only when a field changes its meaning. New fields and new kinds do not raise
// it: a program keeps those that it does not know, see Record.Extra.
const FormatVersion = 1

// Decode reads a record: one of ours, one of a kind that does not exist yet, or
// one of the original Chaperone, which has neither v nor kind. The package
// comment lists the fields. Derived ones (uuid, meanLatency, latency95,
// latency99) are not read but in the original's records.
//
// An error wraps ErrFormat where the bytes are a record of a format newer than
// this program; else it is an *InvalidError if they are a JSON object at all.
// Decode keeps no reference to b.
func Decode(b []byte) (*Record, error) {
	r := new(Record)
	if err := r.decode(b); err != nil {
		return nil, err
	}
	return r, nil
}

// UnmarshalJSON is Decode for encoding/json. After an error r is not changed.
func (r *Record) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil // by the convention of encoding/json
	}
	d, err := Decode(b)
	if err == nil {
		*r = *d
	}
	return err
}

// MarshalJSON is AppendJSON for encoding/json. It refuses what Validate refuses.
func (r Record) MarshalJSON() ([]byte, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r.AppendJSON(nil), nil
}

// AppendJSON appends the record as one JSON object and returns the extended
// slice. Equal records give equal bytes: fields come in a fixed order, those of
// Extra last, by name. It does not validate; what is not valid may not decode.
func (r *Record) AppendJSON(b []byte) []byte {
	if r.Original != nil {
		return r.appendOriginal(b)
	}
	o := object(append(b, '{'))
	if fieldsOf(r.Kind) == nil { // the rest, v too, is in Extra
		o.str("kind", string(r.Kind))
		o.extra(r.Extra)
		return append(o, '}')
	}
	window := r.Kind == KindWindow
	o.uint("v", FormatVersion)
	o.str("kind", string(r.Kind))
	o.str("uuid", r.UUID().String())
	if window {
		o.int("timeBeginInSec", r.Start)
		o.int("timeEndInSec", r.End())
	}
	o.str("topicName", r.Topic)
	if r.Physical != r.Topic {
		o.strUnless(true, "physicalTopic", r.Physical)
	}
	o.strUnless(!window, "hostname", r.Host)
	o.str("tier", r.Tier)
	o.strUnless(!window, "datacenter", r.Datacenter)
	o.strUnless(true, "cluster", r.Cluster)
	if r.TopicID != (TopicID{}) {
		o.str("topicId", r.TopicID.String())
	}
	if r.Partition != NoPartition {
		o.int("partition", int64(r.Partition))
	}
	o.strUnless(true, "instance", r.Instance)
	o.intUnless(0, "generation", r.Generation)
	o.intUnless(0, "segment", r.Segment)
	o.int("version", r.Version)
	o.intUnless(0, "base", r.Base)
	o.strUnless(true, "owner", r.Owner)
	if r.Tally != nil {
		o.tally(r.Tally)
	}
	if r.Progress != nil {
		o.progress(r.Progress)
	}
	if r.Missed != nil {
		o.missed(r.Missed)
	}
	if r.Client != nil {
		o.client(r.Client)
	}
	o.extra(r.Extra)
	return append(o, '}')
}

func (o *object) tally(t *WindowTally) {
	o.uint("totalBytes", t.Bytes)
	o.uint("count", t.Count)
	o.uint("noTimeCount", t.NoTime)
	o.uint("malformedCount", t.Malformed)
	o.uintUnless0("outOfBoundsCount", t.OutOfBounds)
	o.latency(&t.Latency)
	o.intUnless(-1, "firstOffset", t.First)
	o.intUnless(-1, "lastOffset", t.Last)
	o.boolUnlessFalse("partial", t.Partial)
	o.intUnless(0, "generationStart", t.GenerationStart)
	if t.FingerprintMode != "" || t.Fingerprint != 0 || t.PowerSums != (PowerSums{}) || t.Moments != (PowerSums{}) {
		o.fingerprint(t)
	}
	o.strUnless(true, "timeBasis", t.TimeBasis)
	o.strUnless(true, "latencyBasis", t.LatencyBasis)
	o.strUnless(true, "codec", t.Codec)
	o.strUnless(true, "digest", t.Digest)
	if t.Arrival != nil {
		o.open("arrival")
		o.latency(t.Arrival)
		o.close(t.arrivalUnknown)
	}
	if len(t.Sketch) > 0 {
		o.base64("sketch", t.Sketch)
	}
	o.strUnless(true, "sketchMode", t.SketchMode)
}

// fingerprint writes 64-bit sums as strings: many readers of JSON have only
// doubles, which would round them.
func (o *object) fingerprint(t *WindowTally) {
	o.key("fingerprint")
	o.quoted(t.Fingerprint)
	o.powerSums("powerSums", &t.PowerSums)
	if t.Moments != (PowerSums{}) {
		o.powerSums("momentSums", &t.Moments)
	}
	o.strUnless(true, "fingerprintMode", t.FingerprintMode)
}

func (o *object) powerSums(name string, sums *PowerSums) {
	o.key(name)
	*o = append(*o, '[')
	for i, s := range sums {
		if i > 0 {
			*o = append(*o, ',')
		}
		o.quoted(s)
	}
	*o = append(*o, ']')
}

func (o *object) quoted(n uint64) { *o = append(strconv.AppendUint(append(*o, '"'), n, 10), '"') }

func (o *object) latency(l *Latency) {
	if l.Bins.Len() == 0 {
		for _, name := range []string{"meanLatency", "latency95", "latency99", "maxLatency"} {
			o.null(name)
		}
	} else {
		o.float("meanLatency", thousandths(l.Mean()))
		o.float("latency95", thousandths(l.Quantile(0.95)))
		o.float("latency99", thousandths(l.Quantile(0.99)))
		o.int("maxLatency", l.Max)
	}
	o.uintUnless0("latencySum", l.Sum)
	o.uintUnless0("negativeLatencyCount", l.Negative)
	o.intUnless(0, "negativeLatencyMax", l.NegativeMax)
	if l.Bins.Len() == 0 {
		return
	}
	o.open("latencyBins")
	for bin, n := range l.Bins.All() {
		if (*o)[len(*o)-1] != '{' {
			*o = append(*o, ',')
		}
		*o = strconv.AppendInt(append(*o, '"'), int64(bin), 10)
		*o = strconv.AppendUint(append(*o, '"', ':'), n, 10)
	}
	o.close("")
}

func (o *object) progress(p *Progress) {
	o.open("progress")
	o.int("askedAfter", p.AskedAfter)
	o.int("partitions", int64(p.Partitions))
	o.boolUnlessFalse("compacted", p.Compacted)
	o.key("sources")
	*o = append(*o, '[')
	for i := range p.Sources {
		if i > 0 {
			*o = append(*o, ',')
		}
		*o = append(*o, '{')
		o.source(&p.Sources[i])
	}
	*o = append(*o, ']')
	o.close(p.unknown)
}

func (o *object) source(s *SourceProgress) {
	o.int("partition", int64(s.Partition))
	o.int("generation", s.Generation)
	o.intUnless(0, "base", s.Base)
	o.int("segment", s.Segment)
	o.int("start", s.Start)
	o.int("next", s.Next)
	o.uint("total", s.Total)
	o.intUnless(0, "time", s.Time)
	o.intUnless(-1, "logStart", s.LogStart)
	o.intUnless(-1, "end", s.End)
	o.intUnless(-1, "highWatermark", s.HighWatermark)
	o.str("caughtUp", string(s.CaughtUp))
	o.close(s.unknown)
}

func (o *object) missed(m *Missed) {
	o.open("missed")
	o.int("from", m.From)
	o.int("to", m.To)
	o.str("reason", string(m.Reason))
	o.intUnless(0, "since", m.Since)
	o.intUnless(0, "until", m.Until)
	o.close(m.unknown)
}

func (o *object) client(c *ClientCount) {
	o.open("client")
	o.uint("attempts", c.Attempts)
	o.uint("successes", c.Successes)
	o.uint("failures", c.Failures)
	o.intUnless(0, "started", c.Started)
	o.uintUnless0("records", c.Records)
	o.uintUnless0("uncounted", c.Uncounted)
	o.intUnless(0, "every", c.Every)
	o.close(c.unknown)
}

func (o *object) extra(fields map[string]json.RawMessage) {
	if len(fields) == 0 {
		return
	}
	for _, name := range sortedNames(fields) {
		o.key(name)
		*o = append(*o, fields[name]...)
	}
}

func sortedNames(fields map[string]json.RawMessage) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
