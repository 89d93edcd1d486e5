package codecs

import (
	"github.com/valyala/fastjson"

	"github.com/chaperone-audit/chaperone/audit"
)

// JSON builds the codec "json": the event time is a field of the JSON object that
// the value is. The scan stops behind it and decodes nothing else.
//
// Which field: the first in document order whose path is one of the rule's Fields
// and whose value is not null; see [NewFields]. Names are compared as decoded, and
// exactly unless AnyCase is set. Where a path leads through what is no object, the
// field is not there; paths do not lead through arrays. Of a name that is there
// twice the first is taken, where a full decode would take the last: a scan that
// stops cannot know.
//
// Which time: a number, or a string that holds one or a time; see [Times].
//
// There is no time ([None]) in a null or empty value and in an object without
// such a field. [Malformed] are a field of that name with any other value, a
// number that overflows, and a value that is not an object or that ends within one.
// Of the rest only strings and brackets are looked at, up to the field; so what is
// broken in another way may pass. With Strict the whole value is validated, at ten
// times the cost, and nesting deeper than 300 is malformed too.
//
// A value that begins with a zero byte has the five bytes before the document by
// which serializers name a schema in a registry; they are skipped.
func JSON(r Rule) (Codec, error) {
	var p Problems
	f := NewFields(r, &p).Sorted()
	c := &jsonCodec{strict: r.Strict, times: NewTimes(r, &p)}
	if err := p.Err(); err != nil {
		return nil, err
	}
	c.fields = newTree(f)
	set := append(f.Names(), c.times.Names()...)
	if r.Strict {
		set = append(set, "strict")
	}
	c.name = Named("json", set...)
	return c, nil
}

var jsonBuilder = Builder{
	Keys:  append(append([]string{"strict"}, FieldKeys...), TimeKeys...),
	Build: func(r Rule, _ *Env) (Codec, error) { return JSON(r) },
}

var defaultJSON = func() Codec {
	c, err := JSON(Rule{})
	if err != nil {
		panic(err)
	}
	return c
}()

type jsonCodec struct {
	name   string
	fields *tree
	times  Times
	strict bool
}

func (c *jsonCodec) Name() string  { return c.name }
func (c *jsonCodec) Basis() string { return audit.BasisPayload }

// schemaPrefix is how many bytes name a schema: a zero and its number.
const schemaPrefix = 5

func (c *jsonCodec) EventTime(m *Message) (int64, Status) {
	b := m.Value
	if len(b) == 0 {
		return 0, None
	}
	if b[0] == 0 && len(b) > schemaPrefix {
		b = b[schemaPrefix:]
	}
	if c.strict && (!validatable(b, fastjson.MaxDepth) || fastjson.ValidateBytes(b) != nil) {
		return 0, Malformed
	}
	return c.scan(b)
}
