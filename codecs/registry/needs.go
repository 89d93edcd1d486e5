package registry

import (
	"fmt"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/twmb/franz-go/pkg/sr"
)

// What one schema may consist of, with all that it needs.
const (
	maxSchemas = 1000
	maxText    = 16 << 20
)

// A needs collects the schemas that one schema needs, each after those that it
// needs itself.
//
// Schemas know others by name only. If one name stands for two schemas, as when a
// schema and one that it refers to want different versions of a third, then the
// one met first holds, deepest first. That is how the serializers that wrote the
// messages resolve references, so another choice would read another schema than
// was written with.
type needs struct {
	// get reads a schema that is referred to. A file is one whose name is its path.
	get  func(sr.SchemaReference) (sr.Schema, error)
	list []codecs.NamedSchema
	done map[string]bool // by name; false from when a schema is met until it is in list
	size int             // of all texts
}

// resolve gives a schema its Needs.
func resolve(root sr.Schema, get func(sr.SchemaReference) (sr.Schema, error)) (codecs.Schema, error) {
	n := needs{get: get, done: map[string]bool{}}
	if err := n.add(root); err != nil {
		return codecs.Schema{}, err
	}
	return codecs.Schema{Type: root.Type.String(), Text: root.Schema, Needs: n.list}, nil
}

// add collects what a schema refers to.
func (n *needs) add(s sr.Schema) error {
	if n.size += len(s.Schema); n.size > maxText {
		return fmt.Errorf("it and the schemas that it needs are larger than %d MiB", maxText>>20)
	}
	for _, ref := range s.References {
		if done, met := n.done[ref.Name]; done {
			continue
		} else if met {
			return fmt.Errorf("%s refers to itself, by way of others", ref.Name)
		}
		if n.done[ref.Name] = false; len(n.done) >= maxSchemas {
			return fmt.Errorf("it and those that it needs are more than %d schemas", maxSchemas)
		}
		needed, err := n.get(ref)
		if err != nil {
			return err
		}
		if err := n.add(needed); err != nil {
			return err
		}
		n.list = append(n.list, codecs.NamedSchema{Name: ref.Name, Text: needed.Schema})
		n.done[ref.Name] = true
	}
	return nil
}
