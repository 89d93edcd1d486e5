package avro_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	twmb "github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A reference answers as the documentation of the package says, by a full decode
// with twmb/avro. Its schemas refer to types by their full names.
type reference struct {
	schema *twmb.Schema
	root   *twmb.SchemaNode
	named  map[string]*twmb.SchemaNode
	fields codecs.Fields
	times  codecs.Times
}

func newReference(t testing.TB, schema string, r codecs.Rule) *reference {
	t.Helper()
	var p codecs.Problems
	x := &reference{schema: mustParse(t, schema), named: map[string]*twmb.SchemaNode{}, fields: codecs.NewFields(r, &p), times: codecs.NewTimes(r, &p)}
	if err := p.Err(); err != nil {
		t.Fatal(err)
	}
	x.root = x.schema.Root()
	x.collect(x.root)
	return x
}

func (r *reference) collect(n *twmb.SchemaNode) {
	switch n.Type {
	case "array":
		r.collect(n.Items)
	case "map":
		r.collect(n.Values)
	case "record", "enum", "fixed":
		r.named[n.Name] = n
	}
	for i := range n.Fields {
		r.collect(&n.Fields[i].Type)
	}
	for i := range n.Branches {
		r.collect(&n.Branches[i])
	}
}

func (r *reference) resolve(n *twmb.SchemaNode) *twmb.SchemaNode {
	if d, ok := r.named[n.Type]; ok {
		return d
	}
	return n
}

// decode gives all of a datum, if it is one.
func (r *reference) decode(datum []byte) (v any, ok bool) {
	rest, err := r.schema.Decode(datum, &v, twmb.TaggedUnions())
	return v, err == nil && len(rest) == 0
}

// answer is the time or the status of a datum that has been decoded.
func (r *reference) answer(v any) any {
	for _, path := range r.fields.Paths {
		if !r.leads(r.root, path) {
			continue
		}
		if got := r.follow(r.root, v, path); got != codecs.None {
			return got
		}
	}
	return codecs.None
}

func (r *reference) leads(n *twmb.SchemaNode, path codecs.Path) bool {
	n = r.resolve(n)
	if n.Type == "union" {
		return slices.ContainsFunc(n.Branches, func(b twmb.SchemaNode) bool { return r.leads(&b, path) })
	}
	if len(path) == 0 {
		switch n.LogicalType {
		case "date", "time-millis", "time-micros", "uuid":
			return false
		}
		return slices.Contains([]string{"int", "long", "float", "double", "string"}, n.Type)
	}
	f := r.field(n, path[0])
	return f != nil && r.leads(&f.Type, path[1:])
}

func (r *reference) field(n *twmb.SchemaNode, wanted string) *twmb.SchemaField {
	for i := range n.Fields {
		if r.fields.Match(n.Fields[i].Name, wanted) {
			return &n.Fields[i]
		}
	}
	for i := range n.Fields {
		if slices.ContainsFunc(n.Fields[i].Aliases, func(a string) bool { return r.fields.Match(a, wanted) }) {
			return &n.Fields[i]
		}
	}
	return nil
}

func (r *reference) follow(n *twmb.SchemaNode, v any, path codecs.Path) any {
	n = r.resolve(n)
	if n.Type == "union" {
		if v == nil {
			return codecs.None
		}
		for tag, inner := range v.(map[string]any) {
			for i := range n.Branches {
				if b := r.resolve(&n.Branches[i]); b.Name != "" && b.Name == tag || b.Type == tag {
					return r.follow(b, inner, path)
				}
			}
		}
		panic("a branch that is not there")
	}
	if len(path) > 0 {
		f := r.field(n, path[0])
		if f == nil || !r.leads(&f.Type, path[1:]) {
			return codecs.None
		}
		return r.follow(&f.Type, v.(map[string]any)[f.Name], path[1:])
	}
	var ms int64
	var ok bool
	if r.leads(n, nil) {
		switch v := v.(type) {
		case time.Time:
			ms, ok = v.UnixMilli(), true
		case int32:
			ms, ok = r.times.Int(int64(v))
		case int64:
			ms, ok = r.times.Int(v)
		case float32:
			ms, ok = r.times.Float(float64(v))
		case float64:
			ms, ok = r.times.Float(v)
		case string:
			ms, ok = r.times.Text([]byte(v))
		}
	}
	if !ok {
		return codecs.Malformed
	}
	return ms
}

// clip keeps messages of tests readable.
func clip(s string) string { return s[:min(len(s), 2000)] + strings.Repeat("...", min(1, len(s)/2000)) }
