package audit

import (
	"encoding/json"
	"math"
	"strconv"
)

// The records of the original Chaperone (uber/chaperone, archived in 2020) as
// its client and its service write them: no v and no kind, a random uuid, a
// delta instead of a state, times as doubles in exponent form, null or no field
// where there is no value, and some of the counts left out. They are read as
// its collector read them, and written again in the same shape.

// appendOriginal writes all fifteen fields, and the owner, which is ours: it
// names who wrote the record again, under the key that it did not have.
func (r *Record) appendOriginal(b []byte) []byte {
	o := object(append(b, '{'))
	o.str("uuid", r.Original.UUID)
	o.int("timeBeginInSec", r.Start)
	o.int("timeEndInSec", r.End())
	o.str("topicName", r.Topic)
	o.str("hostname", r.Host)
	o.str("tier", r.Tier)
	o.str("datacenter", r.Datacenter)
	var t Tally
	if r.Tally != nil {
		t = r.Tally.Tally
	}
	o.uint("totalBytes", t.Bytes)
	o.uint("count", t.Count)
	o.uint("noTimeCount", t.NoTime)
	o.uint("malformedCount", t.Malformed)
	o.reported("meanLatency", r.Original.MeanLatency)
	o.reported("latency95", r.Original.Latency95)
	o.reported("latency99", r.Original.Latency99)
	o.reported("maxLatency", r.Original.MaxLatency)
	o.strUnless(true, "owner", r.Owner)
	o.extra(r.Extra)
	return append(o, '}')
}

func (o *object) reported(name string, x *float64) {
	if x == nil || math.IsNaN(*x) || math.IsInf(*x, 0) {
		o.null(name)
		return
	}
	text, _ := json.Marshal(*x) // a finite number cannot fail
	o.key(name)
	*o = append(*o, text...)
}

func (r *Record) decodeOriginal(m *members) {
	r.Kind = KindWindow
	r.Original = &OriginalCount{
		UUID:        m.looseStr("uuid"),
		MeanLatency: m.looseFloat("meanLatency"),
		Latency95:   m.looseFloat("latency95"),
		Latency99:   m.looseFloat("latency99"),
		MaxLatency:  m.looseFloat("maxLatency"),
	}
	r.Topic = m.looseStr("topicName")
	r.Host = m.looseStr("hostname")
	r.Tier = m.looseStr("tier")
	r.Datacenter = m.looseStr("datacenter")
	r.Owner = m.looseStr("owner")
	r.Partition = NoPartition
	r.Window = m.looseWindow()
	r.Tally = &WindowTally{
		Tally: Tally{
			Count:     m.looseCount("count"),
			Bytes:     m.looseCount("totalBytes"),
			NoTime:    m.looseCount("noTimeCount"),
			Malformed: m.looseCount("malformedCount"),
		},
		First: -1,
		Last:  -1,
	}
	r.Extra = m.rest()
}

// looseWindow floors times that are not whole seconds, each by itself, so that
// windows that touched still do. A time that is not there (the original wrote
// NaN as null) is 0, as its collector had it, and a lacking end is the begin.
func (m *members) looseWindow() (w Window) {
	const furthest = 1 << 53 // where doubles stop to be exact
	seconds := func(name string, absent int64) int64 {
		x := m.looseFloat(name)
		switch {
		case x == nil:
			return absent
		case math.Abs(*x) > furthest:
			m.problem(name, "out of range")
			return absent
		}
		return int64(math.Floor(*x))
	}
	w.Start = seconds("timeBeginInSec", 0)
	w.Size = seconds("timeEndInSec", w.Start) - w.Start
	return w
}

// looseStr takes anything but an object or an array for a string.
func (m *members) looseStr(name string) string {
	raw := m.take(name)
	switch {
	case raw == nil:
		return ""
	case raw[0] == '{' || raw[0] == '[':
		m.want("a string", name, raw)
		return ""
	}
	if s, ok := unquote(raw); ok {
		return s
	}
	return string(raw)
}

// looseNumber is the text of a number, in quotes or not; empty where there is none.
func (m *members) looseNumber(name string) (text string, raw []byte) {
	if raw = m.take(name); raw == nil {
		return "", nil
	}
	text, quoted := unquote(raw)
	switch {
	case !quoted:
		return string(raw), raw
	case text == "" || text == "null":
		return "", nil
	}
	return text, raw
}

func (m *members) looseFloat(name string) *float64 {
	text, raw := m.looseNumber(name)
	if text == "" {
		return nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		m.want("a number", name, raw)
		return nil
	}
	return &x
}

// looseCount takes 35, 35.0 and 3.5E1 alike.
func (m *members) looseCount(name string) uint64 {
	text, raw := m.looseNumber(name)
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 63); err == nil {
		return n
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x < 1<<63) || x != math.Trunc(x) {
		m.want("a whole number that is not negative", name, raw)
		return 0
	}
	return uint64(x)
}
