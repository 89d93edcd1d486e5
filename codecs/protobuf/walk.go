package protobuf

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/chaperone-audit/chaperone/codecs"
)

// time looks for the candidates one after another. Nearly always there is one only,
// and a walk costs little more than a glance at every tag.
func (p plan) time(b []byte, times *codecs.Times) (int64, codecs.Status) {
	for i := range p {
		var v value
		if !p[i].walk(b, 0, &v) {
			return 0, codecs.Malformed
		}
		if v.form == absent {
			continue
		}
		ms, ok := v.time(times)
		if !ok {
			return 0, codecs.Malformed
		}
		return ms, codecs.Found
	}
	return 0, codecs.None
}

// A value is what has been found of a field.
type value struct {
	form    form
	bits    uint64 // of a number, as form has it
	text    []byte
	seconds int64 // of a Timestamp
	nanos   int32
}

type form uint8

const (
	absent form = iota
	signed
	unsigned
	float // 64 bits
	text
	timestamp
)

// walk notes what a message has at the end of the path from the given depth on. It
// is false if the message is broken. It goes on to the end: what comes later counts.
func (c *candidate) walk(b []byte, depth int, v *value) bool {
	here := c.path[depth]
	for len(b) > 0 {
		num, typ, body, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		if num != here.num {
			continue
		}
		if depth == len(c.path)-1 {
			if !c.take(typ, body, v) {
				return false
			}
			continue
		}
		if in, ok := here.message(typ, body); ok && !c.walk(in, depth+1, v) {
			return false
		}
	}
	return true
}

// next cuts the first field off: its tag, and the body, which for a length or a group
// has what encloses it. Skipping groups recurses to a depth that the library bounds.
func next(b []byte) (num protowire.Number, typ protowire.Type, body, rest []byte, ok bool) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 || num > protowire.MaxValidNumber {
		return 0, 0, nil, nil, false
	}
	b = b[n:]
	if n = protowire.ConsumeFieldValue(num, typ, b); n < 0 {
		return 0, 0, nil, nil, false
	}
	return num, typ, b[:n], b[n:], true
}

// message is what a field holds, if it is written as a message of this field may be.
func (h hop) message(typ protowire.Type, body []byte) (in []byte, ok bool) {
	switch {
	case typ == protowire.BytesType && h.bytes:
		in, _ = protowire.ConsumeBytes(body)
		return in, true
	case typ == protowire.StartGroupType && h.group:
		in, _ = protowire.ConsumeGroup(h.num, body)
		return in, true
	}
	return nil, false
}

// take notes an occurrence of the field itself. One whose wire type is not that of
// its kind is none, as for every parser. It is false if it is a broken message.
func (c *candidate) take(typ protowire.Type, body []byte, v *value) bool {
	if in, ok := c.path[len(c.path)-1].message(typ, body); ok {
		switch {
		case c.kind == protoreflect.StringKind:
		case c.kind == protoreflect.MessageKind || c.kind == protoreflect.GroupKind || c.kind == 0 && looksLikeTimestamp(in):
			return v.merge(in)
		case c.kind != 0:
			return true // a packed list, say
		}
		*v = value{form: text, text: in}
		return true
	}
	var x uint64
	switch typ {
	case protowire.VarintType:
		x, _ = protowire.ConsumeVarint(body)
	case protowire.Fixed64Type:
		x, _ = protowire.ConsumeFixed64(body)
	case protowire.Fixed32Type:
		y, _ := protowire.ConsumeFixed32(body)
		x = uint64(y)
	default:
		return true
	}
	if got, n := number(c.kind, typ, x); got != absent {
		*v = value{form: got, bits: n}
	}
	return true
}

// looksLikeTimestamp says whether it is empty or begins with the tag of field 1 or 2 as
// a varint. Texts that are times do not begin with a control character.
func looksLikeTimestamp(b []byte) bool { return len(b) == 0 || b[0] == 1<<3 || b[0] == 2<<3 }

// number is what a number on the wire means.
func number(k protoreflect.Kind, typ protowire.Type, x uint64) (form, uint64) {
	switch {
	case k == 0 && typ == protowire.Fixed32Type:
		return unsigned, x
	case k == 0:
		return signed, x
	case typ != wireTypes[k]:
		return absent, 0
	}
	switch k {
	case protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return signed, uint64(int32(x))
	case protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return signed, x
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return unsigned, uint64(uint32(x))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return unsigned, x
	case protoreflect.Sint32Kind:
		return signed, uint64(int32(protowire.DecodeZigZag(uint64(uint32(x)))))
	case protoreflect.Sint64Kind:
		return signed, uint64(protowire.DecodeZigZag(x))
	case protoreflect.FloatKind:
		return float, math.Float64bits(float64(math.Float32frombits(uint32(x))))
	case protoreflect.DoubleKind:
		return float, x
	}
	return absent, 0
}

// wireTypes are those of the numbers among the kinds.
var wireTypes = [...]protowire.Type{
	protoreflect.Int32Kind: protowire.VarintType, protoreflect.Int64Kind: protowire.VarintType,
	protoreflect.Uint32Kind: protowire.VarintType, protoreflect.Uint64Kind: protowire.VarintType,
	protoreflect.Sint32Kind: protowire.VarintType, protoreflect.Sint64Kind: protowire.VarintType,
	protoreflect.Fixed32Kind: protowire.Fixed32Type, protoreflect.Sfixed32Kind: protowire.Fixed32Type, protoreflect.FloatKind: protowire.Fixed32Type,
	protoreflect.Fixed64Kind: protowire.Fixed64Type, protoreflect.Sfixed64Kind: protowire.Fixed64Type, protoreflect.DoubleKind: protowire.Fixed64Type,
}

// merge notes a Timestamp; one that occurred before keeps what this one has not.
func (v *value) merge(b []byte) bool {
	if v.form != timestamp {
		*v = value{form: timestamp}
	}
	for len(b) > 0 {
		num, typ, body, rest, ok := next(b)
		if !ok {
			return false
		}
		b = rest
		if typ != protowire.VarintType {
			continue
		}
		switch x, _ := protowire.ConsumeVarint(body); num {
		case 1:
			v.seconds = int64(x)
		case 2:
			v.nanos = int32(x)
		}
	}
	return true
}

func (v *value) time(times *codecs.Times) (ms int64, ok bool) {
	switch v.form {
	case signed:
		return times.Int(int64(v.bits))
	case unsigned:
		return times.Uint(v.bits)
	case float:
		return times.Float(math.Float64frombits(v.bits))
	case text:
		return times.Text(v.text)
	}
	const most = math.MaxInt64/1000 - 1
	if v.nanos < 0 || v.nanos > 999_999_999 || v.seconds > most || v.seconds < -most {
		return 0, false
	}
	return v.seconds*1000 + int64(v.nanos/1e6), true
}
