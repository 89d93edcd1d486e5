// Package avro has the codec "avro": it reads the event time out of values that
// are encoded in Avro's binary encoding, and decodes nothing else.
//
// A message does not say what its bytes are; the schema that it was written with
// does. Of each schema a plan is made, once: what to skip, in how few steps, and how
// to read what lies behind. So the cost of a message is that of the fields before
// its time, of which runs of fixed width are one addition. What comes after the time
// is never looked at.
//
// # Which schema
//
// The rule's Framing says how a message names it. "registry", the default: a zero
// byte and the four bytes of a number, most significant first, as Confluent's and
// most other serializers write it; the rule's Registry has the schemas, and need not
// be named if there is only one. "single_object": the two bytes C3 01 and the
// fingerprint of one of the files in Schemas, as in Avro's own specification.
// "raw": nothing; the only file in Schemas is the schema of all messages. Files may
// refer to each other's types.
//
// # Which field
//
// The rule's Fields in their order, and of those that are null in a message the
// next: see [codecs.NewFields]. Paths lead through records, also where a record is
// one branch of a union; where another branch is taken the field is not there. A
// field is found by its name, else by one of its aliases. One whose type can hold no
// time is passed by; a schema in which there is no other is told to the operator,
// and its messages have no time.
//
// # Which time
//
// A long with one of the logical types timestamp-millis, -micros and -nanos is what
// it says, cut towards the past; so is one of local-timestamp-millis and so on, which
// is taken for UTC, since it says no other. A plain long, an int, a float, a double
// and a string are read as [codecs.Times]; so is a number with a logical type that
// its type cannot have, or that is written beside the type instead of in it, for
// Avro ignores those. A date, a time of day and a uuid are no times, nor is any other
// type. In a union each branch is read by its own type; what is neither null nor a
// time is malformed.
//
// Malformed are also values in another framing, and those that cannot be what their
// schema says: a length or an index out of its bounds, a number that overflows, an
// end before the field, nesting deeper than 512. A tombstone has no time.
package avro

import (
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/learnt"
)

// Builder makes the codec "avro".
var Builder = codecs.Builder{
	Keys:  slices.Concat(codecs.FieldKeys, codecs.TimeKeys, []string{"framing", "registry", "schemas"}),
	Build: build,
}

// The framings, as rules have them.
const (
	inRegistry   = "registry"
	singleObject = "single_object"
	raw          = "raw"
)

func build(r codecs.Rule, env *codecs.Env) (codecs.Codec, error) {
	var p codecs.Problems
	c := common{fields: codecs.NewFields(r, &p), times: codecs.NewTimes(r, &p), env: env}
	settings := append(c.fields.Names(), c.times.Names()...)
	var codec codecs.Codec
	switch r.Framing {
	case "", inRegistry:
		if len(r.Schemas) > 0 {
			p.Add("schemas", "are files, and framing registry reads none; leave them out, or set framing to single_object or raw")
		}
		registry, identity := env.RegistryOf(r, &p)
		c.name = codecs.Named("avro", append([]string{"registry=" + codecs.Quoted([]string{identity})}, settings...)...)
		codec = &registryCodec{c, learnt.New[plan]("avro", registry, identity, env)}
	case singleObject, raw:
		if r.Registry != "" {
			p.Add("registry", "is set, and framing %s asks none; leave it out", r.Framing)
		}
		files := readFiles(r, &p)
		c.name = codecs.Named("avro", append([]string{"framing=" + r.Framing, "schemas=" + digest(files)}, settings...)...)
		if p.Err() != nil {
			break // no plan without fields
		}
		if r.Framing == raw {
			codec = &rawCodec{c, c.planFile(files[0])}
		} else {
			codec = newSingleObjectCodec(c, files, &p)
		}
	default:
		p.Add("framing", "%q is not a framing; use %s, %s or %s", r.Framing, inRegistry, singleObject, raw)
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return codec, nil
}

// common is what the codec is in all framings.
type common struct {
	name   string
	fields codecs.Fields
	times  codecs.Times
	env    *codecs.Env
}

func (c *common) Name() string  { return c.name }
func (c *common) Basis() string { return audit.BasisPayload }

// plan makes the plan of a schema, and tells what is wrong with it. Subject says
// which schema it is.
func (c *common) plan(subject string, s codecs.Schema) *plan {
	if s.Type != "" && s.Type != "AVRO" {
		c.env.Say("avro: %s is of type %s; its messages are malformed", subject, s.Type)
		return malformed
	}
	root, err := parse(s)
	if err != nil {
		c.env.Say("avro: %s cannot be read, and its messages are malformed: %v", subject, err)
		return malformed
	}
	return c.planRoot(subject, root)
}

// planRoot makes the plan of a schema that has been read.
func (c *common) planRoot(subject string, root *node) *plan {
	p := compile(root, &c.fields)
	if len(p.candidates) == 0 {
		c.env.Say("avro: %s, %s", subject, noTimeIn(root, &c.fields))
	}
	return p
}
