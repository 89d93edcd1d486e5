// Package cbor reads event times out of CBOR values (RFC 8949).
package cbor

import (
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// Builder makes the codec "cbor": the event time is a field of the map that the value
// is. The scan stops behind it and decodes nothing else.
//
// Which field: the first in document order whose path is one of the rule's Fields and
// whose value is neither null nor undefined; see [codecs.NewFields]. Keys that are no
// text are passed by. Where a path leads through what is no map, the field is not
// there; paths do not lead through arrays. Of a key that is there twice the first is
// taken.
//
// Which time: an integer, a float, or a text, see [codecs.Times]; tag 0, which is a
// text; and tag 1, which is a number of seconds, whatever the unit.
//
// There is no time ([codecs.None]) in a null or empty value and in a map without such
// a field. [codecs.Malformed] are a field of that name with any other value, a value
// that is not a map, one that is broken before the time, and without a time also one
// with something behind the map. Items of indefinite length may nest 32 deep in what is passed by.
//
// The tag 55799, by which a value says that it is CBOR, is skipped.
var Builder = codecs.Builder{
	Keys: slices.Concat(codecs.FieldKeys, codecs.TimeKeys),
	Build: func(r codecs.Rule, _ *codecs.Env) (codecs.Codec, error) {
		var p codecs.Problems
		f := codecs.NewFields(r, &p).Sorted()
		c := &codec{times: codecs.NewTimes(r, &p), seconds: codecs.NewTimes(codecs.Rule{Unit: "s"}, &p)}
		if err := p.Err(); err != nil {
			return nil, err
		}
		c.fields = f.Level()
		c.name = codecs.Named("cbor", append(f.Names(), c.times.Names()...)...)
		return c, nil
	},
}

type codec struct {
	name    string
	fields  *codecs.Level
	times   codecs.Times
	seconds codecs.Times // of tag 1
}

func (c *codec) Name() string  { return c.name }
func (c *codec) Basis() string { return audit.BasisPayload }

// Tags that mean something here.
const (
	tagText    = 0
	tagSeconds = 1
	tagCBOR    = 55799
)

func (c *codec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	b := m.Value
	if len(b) == 0 {
		return 0, codecs.None
	}
	k, left, b := cut(b)
	if k == tag && left == tagCBOR {
		k, left, b = cut(b)
	}
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
		for left == 0 || left == indefinite && len(b) > 0 && b[0] == breakByte {
			if left == indefinite {
				b = b[1:]
			}
			if depth == 0 {
				return atEnd(b)
			}
			depth--
			fields, left = outer[depth].fields, outer[depth].left
		}
		if left != indefinite {
			left--
		}
		var time bool
		var down *codecs.Level
		var ok bool
		if len(b) > 0 && b[0]>>5 == byte(text) {
			var buf [maxText]byte
			var name []byte
			if name, b, ok = cutText(b, &buf); ok {
				time, down = fields.Match(name)
			}
		} else {
			b, ok = skip(b)
		}
		if !ok {
			return 0, codecs.Malformed
		}
		switch k, n, rest := cut(b); {
		case k == simple && (n == null || n == undefined):
			b = rest
		case k == mapping && down != nil:
			outer[depth].fields, outer[depth].left = fields, left
			depth++
			fields, left, b = down, n, rest
		case time:
			return c.value(b)
		default:
			if b, ok = skip(b); !ok {
				return 0, codecs.Malformed
			}
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

// value reads the time that b begins with.
func (c *codec) value(b []byte) (ms int64, s codecs.Status) {
	times := &c.times
	k, n, rest := cut(b)
	if k == tag {
		if n > tagSeconds {
			return 0, codecs.Malformed
		}
		if n == tagSeconds {
			times = &c.seconds
		}
		b = rest
		if k, _, _ := cut(b); (n == tagText) != (k == text) {
			return 0, codecs.Malformed
		}
		k, n, _ = cut(b)
	}
	var ok bool
	switch {
	case k == unsigned:
		ms, ok = times.Uint(n)
	case k == negative && n <= math.MaxInt64:
		ms, ok = times.Int(-1 - int64(n))
	case k == float:
		ms, ok = times.Float(math.Float64frombits(n))
	case k == text:
		var buf [maxText]byte
		if b, _, ok = cutText(b, &buf); ok {
			ms, ok = times.Text(b)
		}
	}
	if !ok {
		return 0, codecs.Malformed
	}
	return ms, codecs.Found
}
