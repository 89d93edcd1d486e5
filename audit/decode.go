package audit

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// ErrFormat says that a record is of a kind we know in a format newer than
// FormatVersion, so that its numbers may not mean what they seem to. Keep the
// bytes, and update the program.
var ErrFormat = errors.New("audit record: format newer than this program")

// decode fills an empty record.
func (r *Record) decode(b []byte) error {
	var bad InvalidError
	m, err := parseObject(b, &bad)
	if err != nil {
		return err
	}
	hasV, hasKind := m.has("v"), m.has("kind")
	if !hasV && !hasKind {
		r.decodeOriginal(m)
		return r.check(&bad)
	}
	m.require("kind")
	r.Kind = Kind(m.str("kind"))
	switch {
	case r.Kind != "" && fieldsOf(r.Kind) == nil:
		r.Partition = NoPartition
		r.Extra = m.rest()
		return r.check(&bad)
	case m.require("v"):
		if v := m.uint("v"); v > FormatVersion {
			return fmt.Errorf("%w: v is %d, known is %d", ErrFormat, v, FormatVersion)
		} else if v == 0 && len(bad.Problems) == 0 {
			bad.add("v", "0 is no format version")
		}
	}
	r.decodeHead(m)
	switch r.Kind {
	case KindWindow:
		r.Tally = m.tally()
	case KindProgress:
		r.Progress = m.progress()
	case KindMissed:
		r.Missed = m.missed()
	}
	if slices.Contains(fieldsOf(r.Kind), "client") {
		r.Client = m.client()
	}
	r.Extra = m.rest()
	return r.check(&bad)
}

// check validates what has been decoded, unless decoding has found faults:
// those would only show again, as absent fields.
func (r *Record) check(bad *InvalidError) error {
	if err := bad.err(); err != nil {
		return err
	}
	return r.Validate()
}

func (r *Record) decodeHead(m *members) {
	m.drop("uuid") // says what identity and version say
	m.require("topicName")
	m.require("version")
	r.Topic = m.str("topicName")
	if name := m.str("physicalTopic"); name != r.Topic {
		r.Physical = name
	}
	r.Host = m.str("hostname")
	r.Tier = m.str("tier")
	r.Datacenter = m.str("datacenter")
	r.Cluster = m.str("cluster")
	if s := m.str("topicId"); s != "" {
		id, err := ParseTopicID(s)
		if err != nil {
			m.problem("topicId", err.Error())
		}
		r.TopicID = id
	}
	r.Partition = m.int32("partition", NoPartition)
	r.Instance = m.str("instance")
	r.Generation = m.int("generation", 0)
	r.Segment = m.int("segment", 0)
	r.Version = m.int("version", 0)
	r.Base = m.int("base", 0)
	r.Owner = m.str("owner")
	if r.Kind == KindWindow {
		m.require("timeBeginInSec")
		m.require("timeEndInSec")
		r.Start = m.int("timeBeginInSec", 0)
		r.Size = m.int("timeEndInSec", 0) - r.Start // if that overflows, Validate sees a size that is none
	}
}

func (m *members) tally() *WindowTally {
	m.require("count")
	t := &WindowTally{
		Tally: Tally{
			Count:       m.uint("count"),
			Bytes:       m.uint("totalBytes"),
			NoTime:      m.uint("noTimeCount"),
			Malformed:   m.uint("malformedCount"),
			OutOfBounds: m.uint("outOfBoundsCount"),
			Latency:     m.latency(),
			Fingerprint: m.quoted("fingerprint"),
			PowerSums:   m.powerSums("powerSums"),
			Moments:     m.powerSums("momentSums"),
		},
		First:           m.int("firstOffset", -1),
		Last:            m.int("lastOffset", -1),
		Partial:         m.bool("partial"),
		GenerationStart: m.int("generationStart", 0),
		Codec:           m.str("codec"),
		TimeBasis:       m.str("timeBasis"),
		LatencyBasis:    m.str("latencyBasis"),
		Digest:          m.str("digest"),
		FingerprintMode: m.str("fingerprintMode"),
		SketchMode:      m.str("sketchMode"),
	}
	if a := m.object("arrival"); a != nil {
		l := a.latency()
		t.Arrival, t.arrivalUnknown = &l, a.unknown()
	}
	if s := m.str("sketch"); s != "" {
		data, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			m.problem("sketch", "want base64: "+err.Error())
		}
		t.Sketch = data
	}
	return t
}

func (m *members) powerSums(name string) (s PowerSums) {
	sums := m.array(name)
	if sums != nil && len(sums) != len(s) {
		m.problem(name, fmt.Sprintf("want %d, are %d", len(s), len(sums)))
		return s
	}
	for i, raw := range sums {
		s[i] = m.parseQuoted(fmt.Sprintf("%s[%d]", name, i), raw)
	}
	return s
}

func (m *members) latency() (l Latency) {
	m.drop("meanLatency")
	m.drop("latency95")
	m.drop("latency99")
	l.Bins = m.bins("latencyBins")
	if l.Bins.Len() > 0 {
		m.require("maxLatency")
	}
	l.Max = m.int("maxLatency", 0)
	l.Sum = m.uint("latencySum")
	l.Negative = m.uint("negativeLatencyCount")
	l.NegativeMax = m.int("negativeLatencyMax", 0)
	return l
}

func (m *members) bins(name string) (b Bins) {
	raw := m.take(name)
	if raw == nil {
		return b
	}
	if b, ok := tidyBins(raw); ok {
		return b
	}
	o := m.parse(name, raw)
	if o == nil {
		return b
	}
	for key := range o.m {
		if bin, ok := parseBin(key); !ok {
			o.problem(key, fmt.Sprintf("no bin: want %d to %d", MinBin, MaxBin))
		} else if n := o.uint(key); n > 0 {
			b.Put(bin, n)
		}
	}
	return b
}

func parseBin(s string) (bin int16, ok bool) {
	n, err := strconv.ParseInt(s, 10, 16)
	bin = int16(n)
	oneSpelling := s == "-1" || s == "0" || s != "" && s[0] >= '1' && s[0] <= '9'
	return bin, err == nil && bin >= MinBin && bin <= MaxBin && oneSpelling
}

// tidyBins reads bins as AppendJSON writes them, in order and without spaces:
// they are most of a record, and a map of them most of the time of decoding.
// Anything else is left to the slower way, which also finds the words for it.
func tidyBins(raw []byte) (b Bins, ok bool) {
	if raw[0] != '{' {
		return b, false
	}
	last := MinBin - 1
	for rest := raw[1:]; ; {
		key, after, found := bytes.Cut(rest, []byte(`":`))
		if !found || len(key) == 0 || key[0] != '"' {
			return Bins{}, false
		}
		bin, isBin := parseBin(string(key[1:]))
		end := slices.IndexFunc(after, func(c byte) bool { return c == ',' || c == '}' })
		if !isBin || bin <= last || end < 0 {
			return Bins{}, false
		}
		n, err := strconv.ParseUint(string(after[:end]), 10, 64)
		if err != nil || n == 0 {
			return Bins{}, false
		}
		b.Put(bin, n)
		last = bin
		if after[end] == '}' {
			return b, end+1 == len(after)
		}
		rest = after[end+1:]
	}
}

// maxSources bounds those of one progress record, far above what fits into a message
// that Kafka takes by default.
const maxSources = 100_000

func (m *members) progress() *Progress {
	o := m.object("progress")
	if o == nil {
		return nil // Validate says so
	}
	p := &Progress{AskedAfter: o.int("askedAfter", 0), Partitions: o.int32("partitions", 0), Compacted: o.bool("compacted")}
	sources := o.array("sources")
	if len(sources) > maxSources { // not decoded: what they take is many times their text
		o.problem("sources", fmt.Sprintf("want at most %d, are %d", maxSources, len(sources)))
		sources = nil
	}
	for i, raw := range sources {
		if s := o.parse(fmt.Sprintf("sources[%d]", i), raw); s != nil {
			p.Sources = append(p.Sources, s.source())
		}
	}
	p.unknown = o.unknown()
	return p
}

func (m *members) source() SourceProgress {
	for _, name := range []string{"partition", "next", "caughtUp"} {
		m.require(name)
	}
	return SourceProgress{
		Partition:     m.int32("partition", 0),
		Generation:    m.int("generation", 0),
		Base:          m.int("base", 0),
		Segment:       m.int("segment", 0),
		Start:         m.int("start", 0),
		Next:          m.int("next", 0),
		Total:         m.uint("total"),
		Time:          m.int("time", 0),
		LogStart:      m.int("logStart", -1),
		End:           m.int("end", -1),
		HighWatermark: m.int("highWatermark", -1),
		CaughtUp:      CaughtUp(m.str("caughtUp")),
		unknown:       m.unknown(),
	}
}

func (m *members) missed() *Missed {
	o := m.object("missed")
	if o == nil {
		return nil // Validate says so
	}
	o.require("from")
	o.require("to")
	return &Missed{
		From:    o.int("from", 0),
		To:      o.int("to", 0),
		Reason:  MissedReason(o.str("reason")),
		Since:   o.int("since", 0),
		Until:   o.int("until", 0),
		unknown: o.unknown(),
	}
}

func (m *members) client() *ClientCount {
	o := m.object("client")
	if o == nil {
		return nil
	}
	return &ClientCount{
		Attempts:  o.uint("attempts"),
		Successes: o.uint("successes"),
		Failures:  o.uint("failures"),
		Started:   o.int("started", 0),
		Records:   o.uint("records"),
		Uncounted: o.uint("uncounted"),
		Every:     o.int("every", 0),
		unknown:   o.unknown(),
	}
}
