package avro

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sync/singleflight"

	"github.com/chaperone-audit/chaperone/codecs"
)

// prefix is how many bytes name a schema of a registry: a zero and its number.
const prefix = 5

// registryCodec learns schemas from a registry, each when the first message comes
// that has it.
type registryCodec struct {
	common
	registryName string
	registry     codecs.Registry
	asking       singleflight.Group
	plans        *plans
	missing      seldom
}

func newRegistryCodec(c common, name string, r codecs.Registry) *registryCodec {
	return &registryCodec{common: c, registryName: name, registry: r, plans: newPlans()}
}

func (c *registryCodec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	b := m.Value
	if len(b) == 0 {
		return 0, codecs.None
	}
	if len(b) < prefix || b[0] != 0 {
		return 0, codecs.Malformed
	}
	p := c.plans.get(binary.BigEndian.Uint32(b[1:]))
	if p == nil {
		return 0, codecs.Unready
	}
	return p.time(b[prefix:], &c.times)
}

// Learn implements [codecs.Learner].
func (c *registryCodec) Learn(ctx context.Context, m *codecs.Message) error {
	b := m.Value
	if len(b) < prefix || b[0] != 0 {
		return nil // and never was unready
	}
	id := binary.BigEndian.Uint32(b[1:])
	for {
		// Many readers come upon a new schema at once, and one asks for all.
		answer := c.asking.DoChan(strconv.FormatUint(uint64(id), 10), func() (gaveUp any, err error) {
			err = c.learn(ctx, id)
			return ctx.Err() != nil, err
		})
		select {
		case a := <-answer:
			if a.Val == true && ctx.Err() == nil {
				continue // it was another who gave up
			}
			return a.Err
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", subject(id, c.registryName), context.Cause(ctx))
		}
	}
}

func (c *registryCodec) learn(ctx context.Context, id uint32) error {
	if c.plans.get(id) != nil {
		return nil
	}
	s, err := c.registry.Schema(ctx, id)
	switch {
	case errors.Is(err, codecs.ErrNoSchema):
		if c.missing.first(uint64(id)) {
			c.env.Say("avro: %s does not exist; messages that name it are malformed", subject(id, c.registryName))
		}
		c.plans.put(id, malformed)
	case err != nil:
		return fmt.Errorf("%s: %w", subject(id, c.registryName), err)
	default:
		c.plans.put(id, c.plan(subject(id, c.registryName), s))
	}
	return nil
}
