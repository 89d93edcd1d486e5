package config

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// A decoder lays YAML over values. It walks the document itself, instead of
// unmarshalling it, so that everything wrong is told at once with its line, an
// absent key or an empty section leaves what is there, and 3.10 stays a version.
type decoder struct {
	problems *problems
	where    string              // that problems are said to be at, instead of the line
	anchors  map[string]ast.Node // by name
}

// maxDepth of nested values. It ends aliases that contain themselves.
const maxDepth = 20

// decode lays a document over v, which path leads to.
func (d *decoder) decode(path string, v reflect.Value, text []byte) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		d.syntax(path, err)
		return
	}
	d.anchors = map[string]ast.Node{}
	some := false
	for _, doc := range file.Docs {
		if doc == nil || doc.Body == nil || doc.Body.Type() == ast.CommentType {
			continue
		}
		if some {
			d.add(path, doc.Body, "there is more than one document")
			return
		}
		some = true
		d.value(path, v, doc.Body, 0)
	}
}

func (d *decoder) syntax(path string, err error) {
	where := d.where
	text := err.Error()
	var e yaml.Error
	if errors.As(err, &e) {
		text = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil && where == "" {
			where = fmt.Sprintf("line %d", t.Position.Line)
		}
	}
	d.problems.add(path, where, "not YAML: %s", text)
}

func (d *decoder) add(path string, n ast.Node, format string, args ...any) {
	d.problems.add(path, d.at(n), format, args...)
}

func (d *decoder) at(n ast.Node) string {
	if t := n.GetToken(); d.where == "" && t != nil && t.Position != nil {
		return fmt.Sprintf("line %d", t.Position.Line)
	}
	return d.where
}

// resolve takes anchors, aliases and tags off a value; nil is null.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range maxDepth {
		switch t := n.(type) {
		case *ast.AnchorNode:
			d.anchors[t.Name.String()] = t.Value
			n = t.Value
		case *ast.AliasNode:
			n = d.anchors[t.Value.String()]
		case *ast.TagNode:
			n = t.Value
		case *ast.NullNode, nil:
			return nil
		default:
			return n
		}
	}
	return n
}

func (d *decoder) value(path string, v reflect.Value, node ast.Node, depth int) {
	n := d.resolve(node)
	if n == nil {
		if alias, ok := node.(*ast.AliasNode); ok && d.anchors[alias.Value.String()] == nil {
			d.add(path, node, "there is no anchor %s", alias.Value)
		}
		return
	}
	if depth > maxDepth {
		d.add(path, node, "is nested too deeply")
		return
	}
	d.problems.came(path, d.at(node))
	switch {
	case v.Kind() == reflect.Struct:
		d.section(path, v, n, depth)
	case v.Kind() == reflect.Slice:
		d.list(path, v, n, depth)
	default:
		text, ok := scalar(n)
		if !ok {
			d.add(path, n, "must be a single value")
		} else if err := setScalar(v, text); err != nil {
			d.add(path, n, "%v", err)
		}
	}
}

func (d *decoder) section(path string, v reflect.Value, n ast.Node, depth int) {
	pairs, ok := n.(ast.MapNode)
	if !ok {
		d.add(path, n, "must be a section with the keys %s", keysOf(v.Type()))
		return
	}
	seen := map[string]bool{}
	for it := pairs.MapRange(); it.Next(); {
		if _, ok := it.Key().(*ast.MergeKeyNode); ok {
			d.value(path, v, it.Value(), depth+1)
			continue
		}
		key, ok := scalar(it.Key())
		f, known := fieldNamed(v, key)
		switch full := join(path, key); {
		case !ok || !known:
			d.add(full, it.Key(), "is no key; known are %s", keysOf(v.Type()))
		case seen[key]:
			d.add(full, it.Key(), "is there twice")
		default:
			seen[key] = true
			d.value(full, f, it.Value(), depth+1)
		}
	}
}

// list replaces the list that was there.
func (d *decoder) list(path string, v reflect.Value, n ast.Node, depth int) {
	values, ok := n.(ast.ArrayNode)
	if text, single := scalar(n); single && v.Type() == namesType {
		v.Set(reflect.ValueOf(Names{text}))
		return
	}
	if !ok {
		d.add(path, n, "must be a list")
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, 4)
	for it := values.ArrayRange(); it.Next(); {
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(fmt.Sprintf("%s[%d]", path, list.Len()), element, it.Value(), depth+1)
		list = reflect.Append(list, element)
	}
	if list.Len() == 0 {
		list = reflect.Zero(v.Type())
	}
	v.Set(list)
}

// scalar is a value as it is written, without quotes.
func scalar(n ast.Node) (string, bool) {
	switch t := n.(type) {
	case *ast.StringNode:
		return t.Value, true
	case *ast.LiteralNode:
		return t.Value.Value, true
	case ast.ScalarNode:
		return t.GetToken().Value, true
	}
	return "", false
}
