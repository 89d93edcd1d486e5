package avro

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/chaperone-audit/chaperone/codecs"
)

// maxHints is how many fields a notice names.
const maxHints = 8

// noTimeIn says that a schema has none of the fields, and which it has instead.
func noTimeIn(root *node, fields *codecs.Fields) string {
	var wanted, why []string
	for _, path := range fields.Paths {
		wanted = append(wanted, path.String())
		if t := typeAt(root, fields, path); t != nil {
			why = append(why, fmt.Sprintf("%s is %s, which is no time", path, t.describe()))
		}
	}
	s := fmt.Sprintf("%s, has no time in %s", root.describe(), strings.Join(wanted, " or "))
	if len(why) > 0 {
		s += ": " + strings.Join(why, ", ")
	}
	s += "; its messages are counted without an event time"
	if hints := timestampsIn(root); len(hints) > 0 {
		s += fmt.Sprintf(". It has timestamps: set fields to %s", strings.Join(hints, " or "))
	}
	return s
}

// typeAt is the type to which a path leads, by the first branch of a union that has it.
func typeAt(n *node, fields *codecs.Fields, path codecs.Path) *node {
	for len(path) > 0 {
		if n.kind == "union" {
			i := slices.IndexFunc(n.children, func(b *node) bool { return find(b, fields, path[0]) >= 0 })
			if i < 0 {
				return nil
			}
			n = n.children[i]
		}
		i := find(n, fields, path[0])
		if i < 0 {
			return nil
		}
		n, path = n.fields[i].node, path[1:]
	}
	return n
}

// describe names a type for people.
func (n *node) describe() string {
	switch {
	case n.name != "":
		return n.kind + " " + n.name
	case n.logical != "":
		return n.kind + " " + n.logical
	case n.kind == "union":
		var list []string
		for _, b := range n.children[:min(len(n.children), maxHints)] {
			list = append(list, b.describe())
		}
		if len(n.children) > maxHints {
			list = append(list, "...")
		}
		return "union of " + strings.Join(list, " and ")
	}
	return n.kind
}

// timestampsIn are paths to fields of a type that is always a time, those near the
// top first.
func timestampsIn(root *node) (hints []string) {
	type place struct {
		*node
		path codecs.Path
	}
	seen := map[*node]bool{}
	for queue := []place{{root, nil}}; len(queue) > 0 && len(hints) < maxHints; queue = queue[1:] {
		at := queue[0]
		if seen[at.node] {
			continue
		}
		seen[at.node] = true
		if r := readingOf(at.node); millis <= r && r <= nanos && len(at.path) > 0 {
			hints = append(hints, at.path.String())
		}
		if at.kind == "union" {
			for _, b := range at.children {
				queue = append(queue, place{b, at.path})
			}
		}
		for _, f := range at.fields {
			queue = append(queue, place{f.node, append(slices.Clone(at.path), f.names[0])})
		}
	}
	return slices.Compact(hints)
}

// seldom remembers what has been told of things that messages name. Broken ones may
// name anything, so that at most maxTold are.
type seldom struct {
	mu   sync.Mutex
	told map[uint64]bool
}

const maxTold = 100

// first says whether something is to be told now.
func (s *seldom) first(id uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told[id] || len(s.told) == maxTold {
		return false
	}
	if s.told == nil {
		s.told = map[uint64]bool{}
	}
	s.told[id] = true
	return true
}
