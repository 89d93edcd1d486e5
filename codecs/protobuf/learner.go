package protobuf

import (
	"context"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/learnt"
)

// A learner is a codec that gets schemas from a registry as messages name them.
type learner struct {
	name    string
	fields  codecs.Fields
	times   codecs.Times
	env     *codecs.Env
	schemas *learnt.Schemas[messageType]
}

// nothing is a schema in which no message type is found. It stands for those that are
// of no use.
var nothing = &messageType{}

func (c *learner) Name() string  { return c.name }
func (c *learner) Basis() string { return audit.BasisPayload }

func (c *learner) EventTime(m *codecs.Message) (int64, codecs.Status) {
	if len(m.Value) == 0 {
		return 0, codecs.None
	}
	id, index, ok := cutSchema(m.Value)
	if !ok {
		return 0, codecs.Malformed
	}
	schema := c.schemas.Get(id)
	if schema == nil && !c.schemas.Missing(id) {
		return 0, codecs.Unready
	}
	t, b := schema.at(index)
	switch {
	case t == nil:
		return 0, codecs.Malformed
	case len(t.plan) == 0 && !t.told.Load():
		return 0, codecs.Unready // only to tell it, which is Learn's
	}
	return t.plan.time(b, &c.times)
}

func (c *learner) Learn(ctx context.Context, m *codecs.Message) error {
	id, index, ok := cutSchema(m.Value)
	if !ok {
		return nil
	}
	if err := c.schemas.Learn(ctx, id, func(s codecs.Schema) *messageType { return c.compile(id, s) }); err != nil {
		return err
	}
	if t, _ := c.schemas.Get(id).at(index); t != nil && len(t.plan) == 0 && t.told.CompareAndSwap(false, true) {
		c.env.Say("protobuf: %s: %s; its messages have no event time", c.schemas.Subject(id), t.lacks)
	}
	return nil
}

// compile says of a schema that is of no use that it is.
func (c *learner) compile(id uint32, s codecs.Schema) *messageType {
	if s.Type != "PROTOBUF" {
		c.env.Say("protobuf: %s is of type %s; its messages are malformed", c.schemas.Subject(id), s.Type)
		return nothing
	}
	t, err := compileSchema(id, s, c.fields)
	if err != nil {
		c.env.Say("protobuf: %s does not compile, and its messages are malformed: %v; fields by number need no schema", c.schemas.Subject(id), err)
		return nothing
	}
	return t
}
