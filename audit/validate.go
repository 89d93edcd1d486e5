package audit

import (
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// An InvalidError says what is wrong with a record, by field. It lists a few
// problems, because a small record of somebody else can have a million.
type InvalidError struct {
	Problems []Problem
	More     int // problems that are not listed
}

// mostProblems are listed by an InvalidError.
const mostProblems = 20

// A Problem is what is wrong with one field, named as in JSON: count,
// arrival.latencySum, progress.sources[2].next.
type Problem struct{ Field, Text string }

func (p Problem) String() string { return p.Field + ": " + p.Text }

func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	if e.More > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", e.More))
	}
	return "audit record is invalid: " + strings.Join(texts, "; ")
}

// err is e if there are problems, else nil. They are sorted, because they come
// out of maps, and the same record shall give the same message.
func (e *InvalidError) err() error {
	if len(e.Problems) == 0 {
		return nil
	}
	slices.SortStableFunc(e.Problems, compareProblems)
	return e
}

func compareProblems(a, b Problem) int { return strings.Compare(a.String(), b.String()) }

// add keeps those that sort first, whatever the order in which they come: see err.
func (e *InvalidError) add(field, text string) {
	p := Problem{field, text}
	if len(e.Problems) < mostProblems {
		e.Problems = append(e.Problems, p)
		return
	}
	e.More++
	last := 0
	for i := range e.Problems {
		if compareProblems(e.Problems[i], e.Problems[last]) > 0 {
			last = i
		}
	}
	if compareProblems(p, e.Problems[last]) < 0 {
		e.Problems[last] = p
	}
}

func (e *InvalidError) require(ok bool, field, format string, args ...any) {
	if !ok {
		e.add(field, fmt.Sprintf(format, args...))
	}
}

// The wire fields of the kinds, without those inside nested objects.
var (
	headFields = []string{"v", "kind", "uuid", "topicName", "physicalTopic", "hostname", "tier", "datacenter", "cluster", "topicId", "partition",
		"instance", "generation", "segment", "version", "base", "owner"}
	tallyFields = []string{"timeBeginInSec", "timeEndInSec", "totalBytes", "count", "noTimeCount", "malformedCount", "outOfBoundsCount",
		"meanLatency", "latency95", "latency99", "maxLatency", "latencySum", "negativeLatencyCount", "negativeLatencyMax", "latencyBins",
		"firstOffset", "lastOffset", "partial", "generationStart", "fingerprint", "powerSums", "momentSums", "fingerprintMode", "timeBasis", "latencyBasis",
		"codec", "digest", "arrival", "sketch", "sketchMode"}
	originalFields = []string{"uuid", "timeBeginInSec", "timeEndInSec", "topicName", "hostname", "tier", "datacenter", "totalBytes", "count",
		"noTimeCount", "malformedCount", "meanLatency", "latency95", "latency99", "maxLatency", "owner"}

	kindFields = map[Kind][]string{
		KindWindow:   slices.Concat(headFields, tallyFields, []string{"client"}),
		KindProgress: append(slices.Clone(headFields), "progress", "client"),
		KindHello:    append(slices.Clone(headFields), "client"),
		KindGoodbye:  append(slices.Clone(headFields), "client"),
		KindMissed:   append(slices.Clone(headFields), "missed"),
	}
)

// fieldsOf names the fields of a kind; nil if we do not know the kind.
func fieldsOf(k Kind) []string { return kindFields[k] }

// Validate says whether the record can go onto the audit topic: whether it
// says what its kind has to say, and nothing that cannot be. The error is an
// *InvalidError. Decode has called it already.
func (r *Record) Validate() error {
	var e InvalidError
	switch {
	case r.Original != nil:
		r.validateOriginal(&e)
	case r.Kind == "":
		e.add("kind", "missing")
	case fieldsOf(r.Kind) == nil:
		r.validateExtra(&e, []string{"kind"})
	default:
		r.validateHead(&e)
		r.validateParts(&e)
		r.validateExtra(&e, fieldsOf(r.Kind))
	}
	return e.err()
}

func (r *Record) validateHead(e *InvalidError) {
	for _, f := range []struct{ name, s string }{
		{"topicName", r.Topic}, {"physicalTopic", r.Physical}, {"hostname", r.Host}, {"tier", r.Tier}, {"datacenter", r.Datacenter},
		{"cluster", r.Cluster}, {"instance", r.Instance}, {"owner", r.Owner},
	} {
		e.utf8(f.name, f.s)
	}
	e.require(r.Topic != "", "topicName", "missing")
	e.require(r.Tier != "", "tier", "missing")
	e.require(r.Partition >= NoPartition, "partition", "%d is negative", r.Partition)
	e.notNegative("generation", r.Generation)
	e.notNegative("segment", r.Segment)
	e.notNegative("version", r.Version)
	e.notNegative("base", r.Base)
}

// validateParts looks at what only some kinds have.
func (r *Record) validateParts(e *InvalidError) {
	for _, p := range []struct {
		field string
		kind  Kind
		set   bool
	}{
		{"count", KindWindow, r.Tally != nil},
		{"progress", KindProgress, r.Progress != nil},
		{"missed", KindMissed, r.Missed != nil},
	} {
		e.require(!p.set || p.kind == r.Kind, p.field, "does not belong to a record of kind %s", r.Kind)
		e.require(p.set || p.kind != r.Kind, p.field, "missing")
	}
	e.require(r.Client == nil || slices.Contains(fieldsOf(r.Kind), "client"), "client", "does not belong to a record of kind %s", r.Kind)
	switch r.Kind {
	case KindWindow:
		r.Window.validate(e)
		if r.Tally != nil {
			r.Tally.validate(e)
		}
		return
	case KindProgress:
		e.require(r.Owner != "", "owner", "missing")
		if r.Progress != nil {
			r.Progress.validate(e, r.Instance != "")
		}
	case KindHello, KindGoodbye:
		e.require(r.Instance != "", "instance", "missing")
	case KindMissed:
		e.require(r.Partition != NoPartition, "partition", "missing")
		if r.Missed != nil {
			r.Missed.validate(e)
		}
	}
	e.require(r.Window == Window{}, "timeBeginInSec", "does not belong to a record of kind %s", r.Kind)
}

func (w Window) validate(e *InvalidError) {
	// What WindowAt gives for any event time in milliseconds.
	const furthest = math.MaxInt64/1000 + day
	switch {
	case w.Size <= 0 || day%w.Size != 0:
		e.add("timeEndInSec", fmt.Sprintf("a window of %d s does not divide a day", w.Size))
	case w.Start%w.Size != 0:
		e.add("timeBeginInSec", fmt.Sprintf("%d is no multiple of the window's size, %d s", w.Start, w.Size))
	case w.Start < -furthest || w.Start > furthest:
		e.add("timeBeginInSec", "out of range: want seconds")
	}
}

func (t *WindowTally) validate(e *InvalidError) {
	left := t.Count // messages not accounted for by the fields seen so far
	for _, f := range []struct {
		name string
		n    uint64
	}{
		{"noTimeCount", t.NoTime}, {"malformedCount", t.Malformed}, {"outOfBoundsCount", t.OutOfBounds},
		{"negativeLatencyCount", t.Latency.Negative}, {"latencyBins", t.Latency.Count()},
	} {
		if f.n > left {
			e.add(f.name, fmt.Sprintf("%d of %d messages, of which %d are accounted for otherwise", f.n, t.Count, t.Count-left))
			break
		}
		left -= f.n
	}
	t.Latency.validate(e, "")
	if t.Arrival != nil {
		t.Arrival.validate(e, "arrival.")
	}
	e.require(t.First >= -1, "firstOffset", "%d is negative", t.First)
	e.require(t.Last >= -1, "lastOffset", "%d is negative", t.Last)
	e.require((t.First < 0) == (t.Last < 0) && t.First <= t.Last, "lastOffset", "%d does not go with firstOffset %d", t.Last, t.First)
	e.notNegative("generationStart", t.GenerationStart)
	e.require(t.FingerprintMode != "" || t.Fingerprint == 0 && t.PowerSums == PowerSums{} && t.Moments == PowerSums{}, "fingerprintMode", "missing")
	t.PowerSums.validate(e, "powerSums")
	t.Moments.validate(e, "momentSums")
	e.require(t.SketchMode != "" || len(t.Sketch) == 0, "sketchMode", "missing")
	for _, f := range []struct{ name, s string }{
		{"codec", t.Codec}, {"timeBasis", t.TimeBasis}, {"latencyBasis", t.LatencyBasis}, {"digest", t.Digest},
		{"fingerprintMode", t.FingerprintMode}, {"sketchMode", t.SketchMode},
	} {
		e.utf8(f.name, f.s)
	}
}

func (s *PowerSums) validate(e *InvalidError, field string) {
	for i, sum := range s {
		e.require(sum < prime, field, "the one at index %d is not below 2^61-1", i)
	}
}

func (l *Latency) validate(e *InvalidError, path string) {
	var sum, carry uint64
	for _, n := range l.Bins.All() {
		if sum, carry = bits.Add64(sum, n, 0); carry > 0 {
			e.add(path+"latencyBins", "more than 2^64 messages")
			break
		}
	}
	empty := l.Bins.Len() == 0
	e.notNegative(path+"maxLatency", l.Max)
	e.notNegative(path+"negativeLatencyMax", l.NegativeMax)
	e.require(!empty || l.Max == 0, path+"maxLatency", "without latencyBins")
	e.require(!empty || l.Sum == 0, path+"latencySum", "without latencyBins")
	e.require(l.Negative > 0 || l.NegativeMax == 0, path+"negativeLatencyMax", "without negativeLatencyCount")
}

// validate knows of an application instance that it has no partitions.
func (p *Progress) validate(e *InvalidError, instance bool) {
	e.notNegative("progress.askedAfter", p.AskedAfter)
	e.notNegative("progress.partitions", int64(p.Partitions))
	for i := range p.Sources {
		s, path := &p.Sources[i], fmt.Sprintf("progress.sources[%d].", i)
		e.require(s.Partition >= 0 || instance && s.Partition == NoPartition, path+"partition", "%d is negative", s.Partition)
		e.notNegative(path+"generation", s.Generation)
		e.notNegative(path+"base", s.Base)
		e.notNegative(path+"segment", s.Segment)
		e.notNegative(path+"start", s.Start)
		e.require(s.Next >= s.Start, path+"next", "%d is before start, %d", s.Next, s.Start)
		e.require(s.LogStart >= -1, path+"logStart", "%d is negative", s.LogStart)
		e.require(s.End >= -1, path+"end", "%d is negative", s.End)
		e.require(s.HighWatermark >= -1, path+"highWatermark", "%d is negative", s.HighWatermark)
		e.require(s.HighWatermark == -1 || s.HighWatermark >= s.End, path+"highWatermark", "%d is before end, %d", s.HighWatermark, s.End)
		switch s.CaughtUp {
		case CaughtUpYes, CaughtUpNo, CaughtUpUnknown:
		default:
			e.add(path+"caughtUp", fmt.Sprintf("want yes, no or unknown, is %q", s.CaughtUp))
		}
	}
}

func (m *Missed) validate(e *InvalidError) {
	e.notNegative("missed.from", m.From)
	e.require(m.To >= m.From, "missed.to", "%d is before from, %d", m.To, m.From)
	e.require(m.Reason != "", "missed.reason", "missing")
	e.utf8("missed.reason", string(m.Reason))
}

func (r *Record) validateOriginal(e *InvalidError) {
	e.require(r.Kind == KindWindow, "kind", "%q: a record of the original is a window", r.Kind)
	e.require(r.Original.UUID != "", "uuid", "missing")
	e.require(r.Topic != "", "topicName", "missing")
	e.require(r.Size >= 0, "timeEndInSec", "before timeBeginInSec")
	for _, f := range []struct{ name, s string }{
		{"uuid", r.Original.UUID}, {"topicName", r.Topic}, {"hostname", r.Host}, {"tier", r.Tier}, {"datacenter", r.Datacenter}, {"owner", r.Owner},
	} {
		e.utf8(f.name, f.s)
	}
	for _, f := range []struct {
		name string
		x    *float64
	}{
		{"meanLatency", r.Original.MeanLatency}, {"latency95", r.Original.Latency95}, {"latency99", r.Original.Latency99},
		{"maxLatency", r.Original.MaxLatency},
	} {
		e.require(f.x == nil || !math.IsNaN(*f.x) && !math.IsInf(*f.x, 0), f.name, "not a finite number")
	}
	if r.Tally == nil {
		e.add("count", "missing")
	} else {
		says := WindowTally{Tally: Tally{Count: r.Tally.Count, Bytes: r.Tally.Bytes, NoTime: r.Tally.NoTime, Malformed: r.Tally.Malformed}, First: -1, Last: -1}
		e.require(reflect.DeepEqual(*r.Tally, says), "count", "a record of the original says count, bytes, no-time and malformed only")
	}
	says := Identity{Tier: r.Tier, Datacenter: r.Datacenter, Topic: r.Topic, Partition: NoPartition, Window: r.Window}
	e.require(r.Physical == "", "physicalTopic", "does not belong to a record of the original")
	e.require(r.Identity == says && r.Version == 0 && r.Base == 0, "uuid", "the identity of a record of the original is its uuid alone, its version 0")
	e.require(r.Progress == nil && r.Missed == nil && r.Client == nil, "kind", "a record of the original has nothing but a tally")
	r.validateExtra(e, append([]string{"v", "kind"}, originalFields...))
}

// validateExtra keeps Extra from saying a second time what has a field.
func (r *Record) validateExtra(e *InvalidError, own []string) {
	for name, raw := range r.Extra {
		e.utf8(name, name)
		e.require(!slices.Contains(own, name), name, "has a field of its own and cannot be extra")
		e.require(json.Valid(raw), name, "extra field is not JSON")
	}
}

func (e *InvalidError) notNegative(field string, n int64) {
	e.require(n >= 0, field, "%d is negative", n)
}

func (e *InvalidError) utf8(field, s string) {
	e.require(utf8.ValidString(s), field, "not UTF-8")
}
