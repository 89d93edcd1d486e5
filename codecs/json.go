package codecs

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/valyala/fastjson"

	"github.com/chaperone-audit/chaperone/audit"
)

// JSON builds the codec "json": the event time is a member of the JSON object
// that the value is. The scan stops behind it and decodes nothing else.
//
// Which member: the first in document order, at the top level, whose name is
// one of the rule's Fields and whose value is not null. Without Fields that is
// ts or timestamp, in any ASCII case. Names are compared as decoded, and exactly
// unless AnyCase is set.
//
// Which time: a number, or a string that holds a number or an RFC 3339 time.
// Numbers may have fraction and exponent. Without Unit they are seconds up to a
// magnitude of 999,999,999,999 and milliseconds above it, as in the original
// Chaperone; 0 and negative ones are times as well. Parts of a millisecond are
// cut off towards the past. Strings are at most 63 bytes long.
//
// There is no time ([None]) in a null or empty value and in an object without
// such a member. [Malformed] are a member of that name with any other value, a
// number that overflows milliseconds in 64 bits, a value that is not an object,
// and broken JSON. How much of it is noticed depends: up to the member and the
// delimiter behind it the top level is read by the grammar, nested values and
// strings only for where they end. With Strict the whole value is validated,
// and nesting deeper than 300 is malformed too.
func JSON(r Rule) (Codec, error) {
	var errs []error
	report := func(key, format string, args ...any) {
		errs = append(errs, &Problem{Key: key, Err: fmt.Errorf(format, args...)})
	}

	c := &jsonCodec{strict: r.Strict}
	var ok bool
	if c.unit, ok = units[r.Unit]; !ok {
		report("unit", "%q is not a unit; use s, ms, us or ns, or leave it out to tell seconds and milliseconds apart by magnitude", r.Unit)
	}
	for _, f := range r.Fields {
		switch {
		case f == "" || len(f) > maxText:
			report("fields", "%q has %d bytes; a field has 1 to %d", f, len(f), maxText)
		case !utf8.ValidString(f) || strings.ContainsRune(f, utf8.RuneError):
			report("fields", "%q is not UTF-8; no name in a document can equal it", f)
		case strings.Contains(f, "."):
			report("fields", "%q has a dot, which is kept for nested fields; name a field of the top level without one", f)
		}
	}
	if r.AnyCase && len(r.Fields) == 0 {
		report("any_case", "is set without fields; leave it out, since ts and timestamp are found in any case")
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}

	if len(r.Fields) == 0 {
		c.names = newNames(true, "timestamp", "ts")
	} else {
		c.names = newNames(r.AnyCase, r.Fields...)
	}
	c.name = jsonName(r, c.names)
	return c, nil
}

var defaultJSON = &jsonCodec{name: "json", names: newNames(true, "timestamp", "ts")}

type jsonCodec struct {
	name   string
	names  names
	unit   unit
	strict bool
}

func (c *jsonCodec) Name() string  { return c.name }
func (c *jsonCodec) Basis() string { return audit.BasisPayload }

func (c *jsonCodec) EventTime(m *Message) (int64, Status) {
	if len(m.Value) == 0 {
		return 0, None
	}
	if c.strict && (!validatable(m.Value, fastjson.MaxDepth) || fastjson.ValidateBytes(m.Value) != nil) {
		return 0, Malformed
	}
	return c.scan(m.Value)
}

// jsonName is "json", and in brackets what differs from the default. It is part
// of records and of digests: a change of what the codec answers needs another.
func jsonName(r Rule, n names) string {
	var set []string
	if len(r.Fields) > 0 {
		fields := make([]string, len(n.list))
		for i, f := range n.list {
			fields[i] = f
			if strings.ContainsFunc(f, func(c rune) bool {
				return (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '_' && c != '-'
			}) {
				fields[i] = strconv.Quote(f)
			}
		}
		set = append(set, "fields="+strings.Join(fields, "|"))
	}
	if r.AnyCase {
		set = append(set, "any-case")
	}
	if r.Unit != "" {
		set = append(set, "unit="+r.Unit)
	}
	if r.Strict {
		set = append(set, "strict")
	}
	if len(set) == 0 {
		return "json"
	}
	return "json(" + strings.Join(set, ",") + ")"
}

// names are the member names looked for.
type names struct {
	list    []string // sorted, each once; in small letters if anyCase
	lengths uint64   // bit n is set if one has n bytes
	firsts  uint32   // bit n is set if one begins with a byte that ends in these 5 bits: either case
	anyCase bool
}

// maxText is the length in bytes, decoded, of the longest name and the longest
// string that can be a time.
const maxText = 63

func newNames(anyCase bool, list ...string) names {
	n := names{anyCase: anyCase}
	for _, f := range list {
		if anyCase {
			f = string(lower([]byte(f)))
		}
		n.list = append(n.list, f)
		n.lengths |= 1 << len(f)
		n.firsts |= 1 << (f[0] & 31)
	}
	slices.Sort(n.list)
	n.list = slices.Compact(n.list)
	return n
}

// mayMatch is false for most names: none of ours has their length and first letter.
func (n *names) mayMatch(name []byte) bool {
	return n.lengths>>uint(len(name))&1 != 0 && n.firsts>>(name[0]&31)&1 != 0
}

// match says whether a name, decoded, is one of them.
func (n *names) match(name []byte) bool {
	if !n.mayMatch(name) {
		return false
	}
	for _, f := range n.list {
		if len(f) == len(name) && (string(name) == f || n.anyCase && equalLower(name, f)) {
			return true
		}
	}
	return false
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
