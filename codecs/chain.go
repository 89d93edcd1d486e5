package codecs

import (
	"context"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
)

// A chain asks several codecs in order. The first that finds a time decides. If
// none does, the message is malformed if one of them says so, for then it is not
// what somebody declared it to be; else it has no time.
//
// One that is unready ends the question: what a later one would say must not
// depend on when the message is read.
type chain struct {
	name, basis string
	list        []Codec
}

func newChain(list []Codec) Codec {
	if len(list) == 1 {
		return list[0]
	}
	names := make([]string, len(list))
	c := &chain{list: list, basis: list[0].Basis()}
	for i, x := range list {
		names[i] = x.Name()
		if x.Basis() != c.basis {
			c.basis = audit.BasisMixed
		}
	}
	c.name = strings.Join(names, ", ")
	return c
}

func (c *chain) Name() string  { return c.name }
func (c *chain) Basis() string { return c.basis }

func (c *chain) EventTime(m *Message) (int64, Status) {
	answer := None
	for _, x := range c.list {
		switch ms, s := x.EventTime(m); s {
		case Found, Unready:
			return ms, s
		case Malformed:
			answer = s
		}
	}
	return 0, answer
}

func (c *chain) Learn(ctx context.Context, m *Message) error {
	for _, x := range c.list {
		switch _, s := x.EventTime(m); s {
		case Found:
			return nil
		case Unready:
			return learn(ctx, x, m)
		}
	}
	return nil
}

// learn is Learn of a codec that said Unready.
func learn(ctx context.Context, c Codec, m *Message) error {
	if l, ok := c.(Learner); ok {
		return l.Learn(ctx, m)
	}
	return &notLearner{c.Name()}
}

// notLearner is a mistake in a codec, which cannot be healed by waiting. It is said
// in health like a registry that is away, so that nothing is counted wrong.
type notLearner struct{ codec string }

func (e *notLearner) Error() string {
	return "codec " + e.codec + " is unready and has no method Learn: it must be mended"
}
