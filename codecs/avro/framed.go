package avro

import (
	"encoding/binary"

	"github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/codecs"
)

// rawCodec reads values that are nothing but the datum.
type rawCodec struct {
	common
	plan *plan
}

func (c *rawCodec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	if len(m.Value) == 0 {
		return 0, codecs.None
	}
	return c.plan.time(m.Value, &c.times)
}

// header is how many bytes name a schema in Avro's single-object encoding: the two
// bytes C3 01 and its fingerprint, least significant byte first.
const header = 10

// singleObjectCodec reads Avro's single-object encoding.
type singleObjectCodec struct {
	common
	plans   map[uint64]*plan // by fingerprint
	unknown seldom
}

func newSingleObjectCodec(c common, files []*file, p *codecs.Problems) *singleObjectCodec {
	x := &singleObjectCodec{common: c, plans: map[uint64]*plan{}}
	of := map[uint64]*file{}
	for _, f := range files {
		h := avro.NewRabin()
		f.schema.Fingerprint(h)
		id := h.Sum64()
		if g, ok := of[id]; ok {
			p.Add("schemas", "%s and %s have the same fingerprint, so that no message tells which it means; leave one out", g.path, f.path)
			continue
		}
		of[id], x.plans[id] = f, c.planFile(f)
	}
	return x
}

func (c *singleObjectCodec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	b := m.Value
	if len(b) == 0 {
		return 0, codecs.None
	}
	if len(b) < header || b[0] != 0xc3 || b[1] != 0x01 {
		return 0, codecs.Malformed
	}
	id := binary.LittleEndian.Uint64(b[2:])
	p := c.plans[id]
	if p == nil {
		if c.unknown.first(id) {
			c.env.Say("avro: no file in schemas has the fingerprint %016x; messages with it are malformed", id)
		}
		return 0, codecs.Malformed
	}
	return p.time(b[header:], &c.times)
}
