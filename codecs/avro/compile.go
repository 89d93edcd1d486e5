package avro

import (
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/codecs"
)

// compile makes the plan of a schema.
func compile(root *node, fields *codecs.Fields) *plan {
	c := compiler{fields: fields, programs: map[*node]*program{}, open: map[*node]bool{}, routes: map[routeKey]*step{}}
	p := &plan{}
	for _, path := range fields.Paths {
		if s := c.route(root, path); s != nil {
			p.candidates = append(p.candidates, s)
		}
		clear(c.routes)
	}
	return p
}

type compiler struct {
	fields   *codecs.Fields
	programs map[*node]*program
	open     map[*node]bool // records whose program is being made
	routes   map[routeKey]*step
}

// routeKey is a type and how much of a path is left there. Unions of records that
// lead to each other have more ways than could be written down one by one.
type routeKey struct {
	*node
	left int
}

// route leads from the start of a value to the time to which a path leads; nil if
// it does not lead to one.
func (c *compiler) route(n *node, path codecs.Path) *step {
	key := routeKey{n, len(path)}
	s, ok := c.routes[key]
	if !ok {
		s = c.newRoute(n, path)
		c.routes[key] = s
	}
	return s
}

func (c *compiler) newRoute(n *node, path codecs.Path) *step {
	switch {
	case n.kind == "union":
		s := &step{reading: branch}
		leads := false
		for _, b := range n.children {
			next := c.route(b, path)
			leads = leads || next != nil
			switch {
			case next != nil:
			case len(path) == 0 && b.kind != "null":
				next = &step{reading: noTime}
			default:
				next = &step{reading: absent}
			}
			s.branches = append(s.branches, next)
		}
		if !leads {
			return nil
		}
		return s
	case len(path) == 0:
		if r := readingOf(n); r != noTime {
			return &step{reading: r}
		}
		return nil
	}
	i := find(n, c.fields, path[0])
	if i < 0 {
		return nil
	}
	next := c.route(n.fields[i].node, path[1:])
	if next == nil {
		return nil
	}
	s := *next
	s.skip = nil
	for _, f := range n.fields[:i] {
		s.skip = c.add(s.skip, f.node)
	}
	s.skip = merge(s.skip, next.skip...)
	return &s
}

// find is the index of the field of a record that a name means: one that is called
// so, or else once was; -1 if there is none.
func find(n *node, fields *codecs.Fields, wanted string) int {
	is := func(name string) bool { return fields.Match(name, wanted) }
	if i := slices.IndexFunc(n.fields, func(f field) bool { return is(f.names[0]) }); i >= 0 {
		return i
	}
	return slices.IndexFunc(n.fields, func(f field) bool { return slices.ContainsFunc(f.names[1:], is) })
}

// readingOf is how a time of a type is read; noTime if it is none.
func readingOf(n *node) reading {
	switch n.kind {
	case "long":
		switch n.logical {
		case "timestamp-millis", "local-timestamp-millis":
			return millis
		case "timestamp-micros", "local-timestamp-micros":
			return micros
		case "timestamp-nanos", "local-timestamp-nanos":
			return nanos
		case "time-micros":
			return noTime
		}
		return longNumber
	case "int":
		if n.logical == "date" || n.logical == "time-millis" {
			return noTime
		}
		return intNumber
	case "float":
		return floatNumber
	case "double":
		return doubleNumber
	case "string":
		if n.logical != "uuid" {
			return textual
		}
	}
	return noTime
}

// add appends what skips a value of a type.
func (c *compiler) add(ops []op, n *node) []op {
	switch n.kind {
	case "null":
		return ops
	case "boolean":
		return merge(ops, op{kind: fixed, n: 1})
	case "float":
		return merge(ops, op{kind: fixed, n: 4})
	case "double":
		return merge(ops, op{kind: fixed, n: 8})
	case "fixed":
		return merge(ops, op{kind: fixed, n: n.size})
	case "int":
		return merge(ops, op{kind: ints, n: 1})
	case "long":
		return merge(ops, op{kind: longs, n: 1})
	case "bytes", "string":
		return merge(ops, op{kind: texts, n: 1})
	case "enum":
		return merge(ops, op{kind: symbol, n: n.symbols})
	case "union":
		o := op{kind: union}
		for _, b := range n.children {
			o.subs = append(o.subs, c.program(b))
		}
		return merge(ops, o)
	case "array":
		return merge(ops, op{kind: blocks, subs: []*program{c.program(n.children[0])}})
	case "map":
		item := merge([]op{{kind: texts, n: 1}}, c.add(nil, n.children[0])...)
		return merge(ops, op{kind: blocks, subs: []*program{{item}}})
	}
	p := c.program(n)
	if !c.open[n] && p.width() >= 0 {
		return merge(ops, p.ops...)
	}
	return merge(ops, op{kind: record, subs: []*program{p}})
}

// program skips a value of a type. That of a record is made once.
func (c *compiler) program(n *node) *program {
	if n.kind != "record" {
		return &program{c.add(nil, n)}
	}
	if p, ok := c.programs[n]; ok {
		return p
	}
	p := &program{}
	c.programs[n] = p
	c.open[n] = true
	for _, f := range n.fields {
		p.ops = c.add(p.ops, f.node)
	}
	c.open[n] = false
	return p
}

// merge appends ops, and makes neighbours of a kind one. Those without bytes vanish.
func merge(ops []op, more ...op) []op {
	for _, o := range more {
		last := len(ops) - 1
		switch {
		case o.kind == fixed && o.n == 0:
		case last >= 0 && ops[last].kind == o.kind && o.kind <= texts:
			// What is larger than any message stays so.
			if ops[last].n += o.n; ops[last].n < 0 {
				ops[last].n = math.MaxInt
			}
		default:
			ops = append(ops, o)
		}
	}
	return ops
}
