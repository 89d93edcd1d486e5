package protobuf

import (
	"slices"
	"strings"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/learnt"
)

func build(r codecs.Rule, env *codecs.Env) (codecs.Codec, error) {
	var p codecs.Problems
	fields, times := codecs.NewFields(r, &p), codecs.NewTimes(r, &p)
	raw := r.Framing == "raw"
	if !raw && r.Framing != "" && r.Framing != "registry" {
		p.Add("framing", "%q is not a framing; use registry or raw", r.Framing)
	}
	var set []string
	if raw {
		set = append(set, "framing=raw")
	}
	name := func() string { return codecs.Named("protobuf", slices.Concat(set, fields.Names(), times.Names())...) }

	if byNumber(fields) {
		c := &codec{framed: !raw, plan: numbered(fields, &p), times: times}
		const why = "is not needed: fields by number are read without a schema; leave it out"
		refuse(r, &p, why, "registry", "schemas", "message")
		if r.AnyCase {
			p.Add("any_case", "is set for numbers; leave it out")
		}
		c.name = name()
		return c, p.Err()
	}
	if raw {
		refuse(r, &p, "is set with framing raw, which names no schema; leave it out", "registry")
		c := &codec{times: times}
		m := rawMessage(r, &p)
		if m.desc != nil && p.Err() == nil {
			var lacks string
			if c.plan, lacks = newPlan(m.desc, fields); len(c.plan) == 0 {
				p.Add("fields", "%s", lacks)
			}
		}
		set = append(set, "message="+codecs.Quoted([]string{r.Message}), "schema="+m.hash)
		c.name = name()
		return c, p.Err()
	}
	refuse(r, &p, "is set, but with framing registry the message says it; leave it out, or set framing raw", "schemas", "message")
	registry, identity := env.RegistryOf(r, &p)
	if err := p.Err(); err != nil {
		return nil, err
	}
	set = append(set, "registry="+codecs.Quoted([]string{identity}))
	return &learner{
		name: name(), fields: fields, times: times, env: env,
		schemas: learnt.New[messageType]("protobuf", registry, identity, env),
	}, nil
}

// refuse adds a problem for each of some keys that is set.
func refuse(r codecs.Rule, p *codecs.Problems, why string, keys ...string) {
	set := map[string]bool{"registry": r.Registry != "", "schemas": len(r.Schemas) > 0, "message": r.Message != ""}
	for _, k := range keys {
		if set[k] {
			p.Add(k, "%s", why)
		}
	}
}

// rawMessage is the type that a rule names in its files.
func rawMessage(r codecs.Rule, p *codecs.Problems) (m message) {
	if r.Message == "" {
		p.Add("message", "is not set; framing raw needs the full name of the message type, or fields by their number")
	}
	if len(r.Schemas) == 0 {
		p.Add("schemas", "is not set; framing raw needs .proto files or a set of descriptors, or fields by their number")
	}
	if r.Message == "" || len(r.Schemas) == 0 {
		return m
	}
	files, err := readFiles(r.Schemas)
	if err != nil {
		p.Add("schemas", "%w", err)
		return m
	}
	m.hash = files.hash()
	if m.desc, err = files.find(r.Message); err != nil {
		p.Add("schemas", "%w", err)
	} else if m.desc == nil {
		p.Add("message", "%q is not a message type of %s; give its full name, as in shop.v1.Order", r.Message, strings.Join(r.Schemas, " or "))
	}
	return m
}

// byNumber says whether a rule means its fields to be numbers: names never begin
// with a digit.
func byNumber(f codecs.Fields) bool {
	return slices.ContainsFunc(f.Paths, func(p codecs.Path) bool {
		return slices.ContainsFunc(p, func(s string) bool { return '0' <= s[0] && s[0] <= '9' })
	})
}

// numbered is the plan that paths of numbers make.
func numbered(f codecs.Fields, p *codecs.Problems) (list plan) {
	for _, path := range f.Paths {
		var c candidate
		for _, s := range path {
			n, err := fieldNumber(s)
			if err != nil {
				p.Add("fields", "%q in %q %w", s, path, err)
			}
			c.path = append(c.path, hop{num: n, bytes: true, group: true})
		}
		list = append(list, c)
	}
	return list
}
