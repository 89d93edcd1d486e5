package protobuf

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A plan is where messages of one type may have their time, in the order of the rule.
type plan []candidate

// A candidate is one field, with the way to it.
type candidate struct {
	path []hop
	kind protoreflect.Kind // MessageKind and GroupKind: a Timestamp; 0: told by the wire type
}

// A hop is a field on the way, and how a message in it may be written.
type hop struct {
	num          protowire.Number
	bytes, group bool
}

const timestampName = "google.protobuf.Timestamp"

// newPlan looks the fields of a rule up. If there is none that can hold a time, the
// second result says to people what is there instead.
func newPlan(m protoreflect.MessageDescriptor, f codecs.Fields) (list plan, lacks string) {
	var why []string
	for _, path := range f.Paths {
		c, err := find(m, path, f)
		if err != nil {
			why = append(why, err.Error())
			continue
		}
		list = append(list, c)
	}
	if len(list) > 0 {
		return list, ""
	}
	lacks = fmt.Sprintf("message type %s has no such time: %s", m.FullName(), strings.Join(why, "; "))
	if names := timestamps(m, "", hintDepth); len(names) > 0 {
		lacks += fmt.Sprintf("; Timestamp fields are %s", strings.Join(names[:min(len(names), hintNames)], ", "))
	}
	return nil, lacks
}

// find looks one path up.
func find(m protoreflect.MessageDescriptor, path codecs.Path, f codecs.Fields) (c candidate, err error) {
	for i, name := range path {
		d := field(m, name, f)
		if d == nil {
			return c, fmt.Errorf("%s has no field %s", m.FullName(), name)
		}
		if d.IsList() || d.IsMap() {
			return c, fmt.Errorf("%s is repeated", d.FullName())
		}
		c.kind, m = d.Kind(), d.Message()
		group := c.kind == protoreflect.GroupKind
		c.path = append(c.path, hop{num: d.Number(), bytes: !group, group: group})
		if last := i == len(path)-1; last && !isTime(d) || !last && m == nil {
			return c, fmt.Errorf("%s is %s", d.FullName(), kindName(d))
		}
	}
	return c, nil
}

// field is the one of that name. Of several that AnyCase takes for it, the one whose
// name is exactly that, else the first.
func field(m protoreflect.MessageDescriptor, name string, f codecs.Fields) protoreflect.FieldDescriptor {
	all := m.Fields()
	if d := all.ByName(protoreflect.Name(name)); d != nil {
		return d
	}
	for i := range all.Len() {
		if d := all.Get(i); f.Match(string(d.Name()), name) {
			return d
		}
	}
	return nil
}

// isTime says whether a field that is not repeated can hold a time.
func isTime(d protoreflect.FieldDescriptor) bool {
	switch d.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return d.Message().FullName() == timestampName
	case protoreflect.BoolKind, protoreflect.BytesKind, protoreflect.EnumKind:
		return false
	}
	return true
}

func kindName(d protoreflect.FieldDescriptor) string {
	if m := d.Message(); m != nil {
		return "a " + string(m.FullName())
	}
	return "of type " + d.Kind().String()
}

// How far and how many Timestamps are listed as a hint.
const (
	hintDepth = 3
	hintNames = 8
)

// timestamps are the paths to Timestamps in a message type.
func timestamps(m protoreflect.MessageDescriptor, before string, depth int) (list []string) {
	all := m.Fields()
	for i := range all.Len() {
		d := all.Get(i)
		switch in := d.Message(); {
		case in == nil || d.IsList() || d.IsMap() || len(list) >= hintNames:
		case in.FullName() == timestampName:
			list = append(list, before+string(d.Name()))
		case depth > 1:
			list = append(list, timestamps(in, before+string(d.Name())+".", depth-1)...)
		}
	}
	return list
}

// fieldNumber reads one as written by a person.
func fieldNumber(s string) (protowire.Number, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	switch {
	case err != nil:
		return 0, errors.New("is not a number; a rule has either names or numbers")
	case s[0] == '0' || protowire.Number(n) > protowire.MaxValidNumber:
		return 0, fmt.Errorf("is not the number of a field, which are 1 to %d", protowire.MaxValidNumber)
	}
	return protowire.Number(n), nil
}
