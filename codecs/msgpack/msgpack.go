// Package msgpack reads event times out of MessagePack values.
//
// https://github.com/msgpack/msgpack/blob/master/spec.md
package msgpack

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// Builder makes the codec "msgpack": the event time is a field of the map that the
// value is. The scan stops behind it and decodes nothing else.
//
// Which field: the first in document order whose path is one of the rule's Fields and
// whose value is not nil; see [codecs.NewFields]. Keys that are no strings are passed
// by. Where a path leads through what is no map, the field is not there; paths do not
// lead through arrays. Of a key that is there twice the first is taken.
//
// Which time: an integer, a float, or a string, see [codecs.Times]; or a timestamp,
// which is the extension -1.
//
// There is no time ([codecs.None]) in a null or empty value and in a map without such
// a field. [codecs.Malformed] are a field of that name with any other value, a value
// that is not a map, one that is cut before the time, and without a time also one with
// something behind the map.
var Builder = codecs.Builder{
	Keys: slices.Concat(codecs.FieldKeys, codecs.TimeKeys),
	Build: func(r codecs.Rule, _ *codecs.Env) (codecs.Codec, error) {
		var p codecs.Problems
		f := codecs.NewFields(r, &p).Sorted()
		c := &codec{times: codecs.NewTimes(r, &p)}
		if err := p.Err(); err != nil {
			return nil, err
		}
		c.fields = f.Level()
		c.name = codecs.Named("msgpack", append(f.Names(), c.times.Names()...)...)
		return c, nil
	},
}

type codec struct {
	name   string
	fields *codecs.Level
	times  codecs.Times
}

func (c *codec) Name() string  { return c.name }
func (c *codec) Basis() string { return audit.BasisPayload }

func (c *codec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	if len(m.Value) == 0 {
		return 0, codecs.None
	}
	k, left, _, b := cut(m.Value)
	if k != mapping {
		return 0, codecs.Malformed
	}
	// The maps that we are inside of, and how many of their pairs are to come.
	var outer [codecs.MaxPath]struct {
		fields *codecs.Level
		left   uint64
	}
	depth, fields := 0, c.fields
	for {
		for left == 0 {
			if depth == 0 {
				return atEnd(b)
			}
			depth--
			fields, left = outer[depth].fields, outer[depth].left
		}
		left--
		var time bool
		var down *codecs.Level
		if k, _, key, rest := cut(b); k == text {
			time, down = fields.Match(key)
			b = rest
		} else if rest, ok := skip(b); ok {
			b = rest
		} else {
			return 0, codecs.Malformed
		}
		switch k, n, body, rest := cut(b); {
		case k == broken:
			return 0, codecs.Malformed
		case k == null:
			b = rest
		case k == mapping && down != nil:
			outer[depth].fields, outer[depth].left = fields, left
			depth++
			fields, left, b = down, n, rest
		case time:
			return c.value(k, n, body)
		case k == array || k == mapping:
			var ok bool
			if b, ok = skip(b); !ok {
				return 0, codecs.Malformed
			}
		default:
			b = rest
		}
	}
}

// atEnd is the answer behind a map without a time.
func atEnd(b []byte) (int64, codecs.Status) {
	if len(b) > 0 {
		return 0, codecs.Malformed
	}
	return 0, codecs.None
}

// value reads the time that a field holds.
func (c *codec) value(k kind, n uint64, body []byte) (ms int64, s codecs.Status) {
	var ok bool
	switch k {
	case signed:
		ms, ok = c.times.Int(int64(n))
	case unsigned:
		ms, ok = c.times.Uint(n)
	case float:
		ms, ok = c.times.Float(math.Float64frombits(n))
	case text:
		ms, ok = c.times.Text(body)
	case extension:
		ms, ok = timestamp(n, body)
	}
	if !ok {
		return 0, codecs.Malformed
	}
	return ms, codecs.Found
}

// timestamp reads the extension -1. Its three lengths hold ever more:
//
//	| seconds, 32 bits |
//	| nanoseconds, 30 bits | seconds, 34 bits |
//	| nanoseconds, 32 bits | seconds, 64 bits, signed |
func timestamp(kind uint64, b []byte) (ms int64, ok bool) {
	if kind != 0xff {
		return 0, false
	}
	var seconds int64
	var nanos uint64
	switch len(b) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(b))
	case 8:
		both := binary.BigEndian.Uint64(b)
		nanos, seconds = both>>34, int64(both&(1<<34-1))
	case 12:
		nanos, seconds = uint64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint64(b[4:]))
	default:
		return 0, false
	}
	const most = math.MaxInt64/1000 - 1
	if nanos > 999_999_999 || seconds > most || seconds < -most {
		return 0, false
	}
	return seconds*1000 + int64(nanos/1e6), true
}
