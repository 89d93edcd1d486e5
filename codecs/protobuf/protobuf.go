// Package protobuf reads event times out of Protocol Buffers messages.
//
// A rule names the fields that may hold the time by name or by number. Names need
// descriptors, from a schema registry or from files; numbers need none. The message
// is walked in its wire format, at the levels that a path leads through, and what
// lies beside is skipped by its length: nothing is decoded.
//
// A [plan] says where to look in messages of one type. With descriptors it knows the
// kinds of fields; without, it tells them by what is on the wire.
package protobuf

import (
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// Builder makes the codec "protobuf".
//
// The framing registry, which is the default, is that of Confluent's serializers:
// before the message a zero byte, the number of its schema, and which message type
// of that schema it is. With raw the value is the message alone.
//
// Which field: the first of Fields, in the order of the rule, that is there. A path
// of names, such as meta.created, is looked up in the schema: that of the rule's
// Registry, or with raw the type Message of Schemas, which are .proto files with all
// that they import, or sets of descriptors as protoc --include_imports
// --descriptor_set_out writes them. With AnyCase the first field matches in order of
// declaration where none is called exactly so. A path of numbers, such as 3.1, needs
// and takes none of these, and the number of the schema is not looked at. What is
// repeated holds no time, and no path leads through it; by number it cannot be told
// from what is not.
//
// Which time, with names: a google.protobuf.Timestamp; an integer of any kind, a
// float or double, and a string, see [codecs.Times]. With numbers: a varint or 64
// bits as a signed integer, 32 bits as an unsigned one; what has a length is a
// Timestamp if it is empty or begins as only a message does, with field 1 or 2 as a
// varint, else a text. So sint32, sint64, float and double need names, and so does
// sfixed32 before 1970.
//
// As for every reader of Protocol Buffers, of what occurs several times the last
// counts, messages that occur several times are merged, and a field whose wire type
// is not that of its kind is not there. Unlike them, members of a oneof do not take
// each other away. A zero is a time if it is on the wire; proto3 leaves it away
// unless the field is optional.
//
// There is no time ([codecs.None]) in a null or empty value, in a message without
// such a field, and in one of a type without it: that is told once, by
// [codecs.Env.Say]. [codecs.Malformed] are a field that holds no time, nanoseconds of
// a Timestamp out of their range, broken wire format at any level that was walked, a
// value without the frame, and a schema or message type that does not exist, is not
// Protocol Buffers or does not compile.
var Builder = codecs.Builder{
	Keys:  append(append([]string{"framing", "registry", "schemas", "message"}, codecs.FieldKeys...), codecs.TimeKeys...),
	Build: build,
}

// A codec has all it needs.
type codec struct {
	name   string
	framed bool
	plan   plan
	times  codecs.Times
}

func (c *codec) Name() string  { return c.name }
func (c *codec) Basis() string { return audit.BasisPayload }

func (c *codec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	b := m.Value
	if len(b) == 0 {
		return 0, codecs.None
	}
	if c.framed {
		_, index, ok := cutSchema(b)
		if !ok {
			return 0, codecs.Malformed
		}
		if b, ok = skipIndex(index); !ok {
			return 0, codecs.Malformed
		}
	}
	return c.plan.time(b, &c.times)
}
