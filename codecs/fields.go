package codecs

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Path leads to a field by the names of those around it and its own.
type Path []string

// String is the path as a rule has it.
func (p Path) String() string {
	names := slices.Clone(p)
	for i, name := range names {
		names[i] = escape.Replace(name)
	}
	return strings.Join(names, ".")
}

var escape = strings.NewReplacer(`\`, `\\`, `.`, `\.`)

// Fields are where a rule looks for the event time.
type Fields struct {
	Paths   []Path // in the order of the rule
	AnyCase bool   // names match in any ASCII case
	given   []string
}

// FieldKeys are the settings that NewFields understands.
var FieldKeys = []string{"fields", "any_case"}

// maxPath is the most names of a Path.
const maxPath = 16

// NewFields reads the fields of a rule. A dot goes into what a field holds, as in
// meta.created; one that is part of a name is written \. and a backslash \\. Without
// any they are ts and timestamp, in any case. What is wrong goes to p.
func NewFields(r Rule, p *Problems) Fields {
	if len(r.Fields) == 0 {
		if r.AnyCase {
			p.Add("any_case", "is set without fields; leave it out, since ts and timestamp are found in any case")
		}
		return Fields{Paths: []Path{{"ts"}, {"timestamp"}}, AnyCase: true}
	}
	f := Fields{AnyCase: r.AnyCase}
	for _, text := range r.Fields {
		path, err := parsePath(text)
		if err != nil {
			p.Add("fields", "%w", err)
			continue
		}
		if r.AnyCase {
			for i := range path {
				path[i] = string(lower([]byte(path[i])))
			}
			text = string(lower([]byte(text)))
		}
		if !slices.Contains(f.given, text) {
			f.Paths, f.given = append(f.Paths, path), append(f.given, text)
		}
	}
	return f
}

// Sorted are the same fields for a format in which their order means nothing.
func (f Fields) Sorted() Fields {
	f.given = slices.Sorted(slices.Values(f.given))
	f.Paths = slices.SortedFunc(slices.Values(f.Paths), func(a, b Path) int { return slices.Compare(a, b) })
	return f
}

// Names are the settings as they go into the Name of a codec, none if they are the default.
func (f *Fields) Names() (list []string) {
	if len(f.given) > 0 {
		list = append(list, "fields="+Quoted(f.given))
	}
	if f.AnyCase && len(f.given) > 0 {
		list = append(list, "any-case")
	}
	return list
}

// Match says whether a name in a document or schema is that of a path.
func (f *Fields) Match(name, wanted string) bool {
	return name == wanted || f.AnyCase && len(name) == len(wanted) && equalLower([]byte(name), wanted)
}

func parsePath(text string) (path Path, err error) {
	if !utf8.ValidString(text) || strings.ContainsRune(text, utf8.RuneError) {
		return nil, fmt.Errorf("%q is not UTF-8; no name in a document can equal it", text)
	}
	var name []byte
	end := func() {
		if len(name) == 0 || len(name) > maxText {
			err = errors.Join(err, fmt.Errorf("%q has a name of %d bytes; names have 1 to %d", text, len(name), maxText))
		}
		path, name = append(path, string(name)), nil
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\\':
			if i++; i == len(text) || text[i] != '.' && text[i] != '\\' {
				return nil, fmt.Errorf(`%q has a backslash before something else than a dot or another one; write \\ for one that is part of a name`, text)
			}
			name = append(name, text[i])
		case '.':
			end()
		default:
			name = append(name, c)
		}
	}
	end()
	if len(path) > maxPath {
		err = errors.Join(err, fmt.Errorf("%q is %d names deep; at most %d", text, len(path), maxPath))
	}
	return path, err
}

// A tree is Fields as a scan looks for them: the names at one level.
type tree struct {
	names   []branch
	lengths uint64 // bit n is set if a name has n bytes
	firsts  uint32 // bit n is set if one begins with a byte that ends in these 5 bits: either case
	anyCase bool
	up      *tree // nil at the top
	letter  word8 // with which all names begin, in small, eight times; 0 if they differ
}

// A branch is a name that leads to a time, or further down, or to either, depending
// on what is there.
type branch struct {
	name string // in small letters if anyCase
	time bool
	down *tree
}

func newTree(f Fields) *tree {
	t := &tree{anyCase: f.AnyCase}
	for _, p := range f.Paths {
		t.add(p)
	}
	return t
}

func (t *tree) add(p Path) {
	if letter := ones * word8(p[0][0]|0x20); len(t.names) == 0 {
		t.letter = letter
	} else if letter != t.letter {
		t.letter = 0
	}
	i := slices.IndexFunc(t.names, func(b branch) bool { return b.name == p[0] })
	if i < 0 {
		i = len(t.names)
		t.names = append(t.names, branch{name: p[0]})
		t.lengths |= 1 << len(p[0])
		t.firsts |= 1 << (p[0][0] & 31)
	}
	b := &t.names[i]
	if len(p) == 1 {
		b.time = true
		return
	}
	if b.down == nil {
		b.down = &tree{anyCase: t.anyCase, up: t}
	}
	b.down.add(p[1:])
}

// mayMatch is false for most names: none of ours has their length and first letter.
func (t *tree) mayMatch(name []byte) bool {
	return t.lengths>>uint(len(name))&1 != 0 && t.firsts>>(name[0]&31)&1 != 0
}

// match is the branch that a name, decoded, takes; nil if it is none of them.
func (t *tree) match(name []byte) *branch {
	if len(name) == 0 || !t.mayMatch(name) {
		return nil
	}
	for i := range t.names {
		if b := &t.names[i]; len(b.name) == len(name) && (string(name) == b.name || t.anyCase && equalLower(name, b.name)) {
			return b
		}
	}
	return nil
}

// equalLower compares with a name of the same length in small letters.
func equalLower(name []byte, lowered string) bool {
	for i, c := range name {
		if lowerByte(c) != lowered[i] {
			return false
		}
	}
	return true
}

func lower(b []byte) []byte {
	for i, c := range b {
		b[i] = lowerByte(c)
	}
	return b
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c
}
