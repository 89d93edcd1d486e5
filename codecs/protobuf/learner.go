package protobuf

import (
	"context"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// A learner is a codec that gets schemas from a registry as messages name them.
type learner struct {
	name    string
	times   codecs.Times
	schemas schemas
}

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
	schema, known := c.schemas.get(id)
	if !known {
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
	schema, err := c.schemas.learn(ctx, id)
	if err != nil {
		return err
	}
	if t, _ := schema.at(index); t != nil && len(t.plan) == 0 && t.told.CompareAndSwap(false, true) {
		c.schemas.env.Say("registry %s, schema %d: %s; its messages have no event time", c.schemas.name, id, t.lacks)
	}
	return nil
}
