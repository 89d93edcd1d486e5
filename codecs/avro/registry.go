package avro

import (
	"context"
	"encoding/binary"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/learnt"
)

// prefix is how many bytes name a schema of a registry: a zero and its number.
const prefix = 5

// registryCodec learns schemas from a registry, each when the first message comes
// that has it.
type registryCodec struct {
	common
	plans *learnt.Schemas[plan]
}

func (c *registryCodec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	b := m.Value
	if len(b) == 0 {
		return 0, codecs.None
	}
	if len(b) < prefix || b[0] != 0 {
		return 0, codecs.Malformed
	}
	id := binary.BigEndian.Uint32(b[1:])
	p := c.plans.Get(id)
	switch {
	case p != nil:
		return p.time(b[prefix:], &c.times)
	case c.plans.Missing(id):
		return 0, codecs.Malformed
	}
	return 0, codecs.Unready
}

// Learn implements [codecs.Learner].
func (c *registryCodec) Learn(ctx context.Context, m *codecs.Message) error {
	b := m.Value
	if len(b) < prefix || b[0] != 0 {
		return nil // and never was unready
	}
	id := binary.BigEndian.Uint32(b[1:])
	return c.plans.Learn(ctx, id, func(s codecs.Schema) *plan { return c.plan(c.plans.Subject(id), s) })
}
