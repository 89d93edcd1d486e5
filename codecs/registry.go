package codecs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
)

// A Registry has the schemas that messages name by number.
type Registry interface {
	// Schema gets a schema, in one attempt. An error that is ErrNoSchema means that
	// messages with this number are malformed for ever; any other one that nobody
	// knows yet.
	Schema(ctx context.Context, id uint32) (Schema, error)
}

// ErrNoSchema says that a schema does not exist, and that it has been decided to
// take that for an answer.
var ErrNoSchema = errors.New("there is no such schema")

// A Schema is one as a registry has it.
type Schema struct {
	Type string // AVRO, PROTOBUF or JSON
	Text string
	// Needs are the schemas that it refers to, and those that they do, each once and
	// before all that refer to it.
	Needs []NamedSchema
}

// A NamedSchema has the name by which others refer to it.
type NamedSchema struct{ Name, Text string }

// RegistryOf finds the registry that a rule names, or the only one there is. Its
// identity is for the Name of a codec: of a registry whose schemas are those that were
// there when it was made, and so may be others the next time, a hash of them is part
// of it. What is wrong goes to p.
func (e *Env) RegistryOf(r Rule, p *Problems) (found Registry, identity string) {
	var all map[string]Registry
	if e != nil {
		all = e.Registries
	}
	names := slices.Sorted(maps.Keys(all))
	name := r.Registry
	switch {
	case len(names) == 0:
		p.Add("registry", "is needed, and there is none; add one to schema_registries, or set framing raw, which needs none; with protobuf neither do fields by number")
		return nil, ""
	case name == "" && len(names) > 1:
		p.Add("registry", "is empty, and there are several; use %s", strings.Join(names, " or "))
		return nil, ""
	case name == "":
		name = names[0]
	case !slices.Contains(names, name):
		p.Add("registry", "%q is none of schema_registries; use %s", name, strings.Join(names, " or "))
		return nil, ""
	}
	identity = name
	if d, ok := all[name].(interface{ Digest() string }); ok {
		identity += "@" + d.Digest()
	}
	return all[name], identity
}
