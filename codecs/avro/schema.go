package avro

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/codecs"
)

// parse reads a schema, after those that it refers to.
func parse(s codecs.Schema) (*node, error) {
	var known avro.SchemaCache
	for _, n := range s.Needs {
		if _, err := parseIn(&known, n.Text); err != nil {
			return nil, fmt.Errorf("%s, to which it refers: %w", n.Name, err)
		}
	}
	parsed, err := parseIn(&known, s.Text)
	if err != nil {
		return nil, err
	}
	return newNode(parsed)
}

// parseIn reads a schema that may refer to the types of those read before. It is
// lenient where that cannot change what the bytes mean: names may have letters of all
// languages, as Java has them; and neither need defaults fit nor aliases be unique,
// which few checked when the older schemas in registries were written.
func parseIn(known *avro.SchemaCache, text string) (*avro.Schema, error) {
	var tree any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber() // numbers that nobody reads need not fit
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("not JSON: something comes behind the schema")
	}
	loosen(tree)
	lenient, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	return known.Parse(string(lenient), avro.WithLaxNames(nil))
}

// formerly is where loosen puts aliases: a property that means nothing to the parser.
const formerly = "chaperone.aliases"

func loosen(tree any) {
	switch t := tree.(type) {
	case []any:
		for _, x := range t {
			loosen(x)
		}
	case map[string]any:
		delete(t, "default")
		if a, ok := t["aliases"]; ok {
			t[formerly] = a
			delete(t, "aliases")
		}
		for _, x := range t {
			loosen(x)
		}
	}
}

// namesOf are the name of a field, and its aliases.
func namesOf(f *avro.SchemaField) []string {
	names := []string{f.Name}
	aliases, _ := f.Props[formerly].([]any)
	for _, a := range aliases {
		if s, ok := a.(string); ok {
			names = append(names, s)
		}
	}
	return names
}

// A node is a type in a schema. Those that have a name are one node each, wherever
// they are referred to, so that nodes form a graph, with cycles.
type node struct {
	kind     string // as in a schema; record also for error
	logical  string
	name     string // full, of a type that has one
	size     int    // of fixed
	symbols  int    // of an enum
	fields   []field
	children []*node // branches of a union; item of an array; value of a map
}

// A field is one of a record.
type field struct {
	names []string // its own, then its aliases
	*node
}

// newNode links what refers to a type by its name to the type.
func newNode(s *avro.Schema) (*node, error) {
	root := s.Root()
	l := linker{named: map[string]*node{}}
	l.declare(root)
	return l.link(root, "")
}

type linker struct{ named map[string]*node }

// declare makes a node of each type that has a name: references may come first.
func (l *linker) declare(n *avro.SchemaNode) {
	switch n.Type {
	case "record", "error", "enum", "fixed":
		l.named[fullName(n)] = &node{}
	}
	for _, c := range childrenOf(n) {
		l.declare(c)
	}
}

// link makes the node of a type in a namespace.
func (l *linker) link(n *avro.SchemaNode, space string) (*node, error) {
	to := &node{kind: n.Type, logical: n.LogicalType}
	switch n.Type {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map", "union":
	case "record", "error", "enum", "fixed":
		to = l.named[fullName(n)]
		*to = node{kind: n.Type, logical: n.LogicalType, name: fullName(n), size: n.Size, symbols: len(n.Symbols)}
		space = spaceOf(to.name)
	default:
		return l.find(n.Type, space)
	}
	for _, c := range childrenOf(n) {
		child, err := l.link(c, space)
		if err != nil {
			return nil, err
		}
		to.children = append(to.children, child)
	}
	if n.Type == "record" || n.Type == "error" {
		to.kind = "record"
		for i := range n.Fields {
			to.fields = append(to.fields, field{namesOf(&n.Fields[i]), to.children[i]})
		}
		to.children = nil
	}
	return to, nil
}

// find is the type to which a name refers. One without a namespace is of the
// enclosing one, or else of none; one that begins with a dot is of none.
func (l *linker) find(name, space string) (*node, error) {
	if n := l.named[join(space, name)]; n != nil && !strings.Contains(name, ".") {
		return n, nil
	}
	if n := l.named[trimDot(name)]; n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("type %s is not defined", name)
}

// childrenOf are the types within one.
func childrenOf(n *avro.SchemaNode) (list []*avro.SchemaNode) {
	switch n.Type { // other keys than those of its type mean nothing
	case "array":
		list = append(list, n.Items)
	case "map":
		list = append(list, n.Values)
	case "union":
		for i := range n.Branches {
			list = append(list, &n.Branches[i])
		}
	case "record", "error":
		for i := range n.Fields {
			list = append(list, &n.Fields[i].Type)
		}
	}
	return list
}

// fullName is a name with its namespace, which the name itself may have.
func fullName(n *avro.SchemaNode) string {
	if strings.Contains(n.Name, ".") {
		return trimDot(n.Name)
	}
	return join(n.Namespace, n.Name)
}

func join(space, name string) string {
	if space == "" {
		return name
	}
	return space + "." + name
}

func spaceOf(fullName string) string {
	return fullName[:max(0, strings.LastIndexByte(fullName, '.'))]
}

// trimDot takes the dot off that stands for no namespace.
func trimDot(name string) string {
	if strings.LastIndexByte(name, '.') == 0 {
		return name[1:]
	}
	return name
}
