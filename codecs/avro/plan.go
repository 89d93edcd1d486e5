package avro

import (
	"encoding/binary"
	"math"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A plan is how the event time is found in values of one schema.
type plan struct {
	candidates []*step // in the order of the rule
	malformed  bool    // whatever the value, for the schema is of no use
}

var malformed = &plan{malformed: true}

// A step leads to a time, or to a union of which each branch leads on.
type step struct {
	skip     []op // what lies before it
	reading  reading
	branches []*step
}

// A reading is what is to be read at the end of a step.
type reading uint8

const (
	branch reading = iota // the index of the next step
	absent                // nothing: it is null, or the path leads no further
	noTime                // nothing, though there is something
	millis                // a long with a logical type
	micros
	nanos
	longNumber // a plain one
	intNumber
	floatNumber
	doubleNumber
	textual
)

// time reads a value.
func (p *plan) time(b []byte, t *codecs.Times) (int64, codecs.Status) {
	if p.malformed {
		return 0, codecs.Malformed
	}
	for _, s := range p.candidates {
		if ms, status := s.time(b, t); status != codecs.None {
			return ms, status
		}
	}
	return 0, codecs.None
}

func (s *step) time(b []byte, t *codecs.Times) (ms int64, status codecs.Status) {
	i := 0
	if len(s.skip) > 0 {
		i = skip(s.skip, b, 0, maxDepth)
	}
	for i >= 0 && s.reading == branch {
		var k int
		if k, i = index(b, i, len(s.branches)); i >= 0 {
			s = s.branches[k]
			i = skip(s.skip, b, i, maxDepth)
		}
	}
	if i < 0 {
		return 0, codecs.Malformed
	}
	ok := false
	switch s.reading {
	case absent:
		return 0, codecs.None
	case millis:
		ms, i = long(b, i)
		ok = i >= 0
	case micros:
		ms, i = long(b, i)
		ms, ok = floor(ms, 1e3), i >= 0
	case nanos:
		ms, i = long(b, i)
		ms, ok = floor(ms, 1e6), i >= 0
	case longNumber:
		if ms, i = long(b, i); i >= 0 {
			ms, ok = t.Int(ms)
		}
	case intNumber:
		if ms, i = integer(b, i); i >= 0 {
			ms, ok = t.Int(ms)
		}
	case floatNumber:
		if len(b)-i >= 4 {
			ms, ok = t.Float(float64(math.Float32frombits(binary.LittleEndian.Uint32(b[i:]))))
		}
	case doubleNumber:
		if len(b)-i >= 8 {
			ms, ok = t.Float(math.Float64frombits(binary.LittleEndian.Uint64(b[i:])))
		}
	case textual:
		if s, i := text(b, i); i >= 0 {
			ms, ok = t.Text(s)
		}
	}
	if !ok {
		return 0, codecs.Malformed
	}
	return ms, codecs.Found
}

// floor divides towards the past.
func floor(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}
