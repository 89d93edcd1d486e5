package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// members are the fields of a JSON object that have not been read yet. Reading
// one takes it out; what is left in the end is what we do not know. null is as
// good as absent. Faults are gathered, so that all of them are told at once.
type members struct {
	path string // of the object, with a dot at its end; empty at the top
	m    map[string]json.RawMessage
	bad  *InvalidError
}

func parseObject(b []byte, bad *InvalidError) (*members, error) {
	m := &members{bad: bad}
	if err := json.Unmarshal(b, &m.m); err != nil {
		return nil, fmt.Errorf("audit record: not a JSON object: %w", err)
	}
	if m.m == nil {
		return nil, fmt.Errorf("audit record: not a JSON object: null")
	}
	return m, nil
}

func (m *members) problem(name, text string) { m.bad.add(m.path+name, text) }

func (m *members) want(what, name string, raw []byte) {
	const most = 40
	if len(raw) > most {
		raw = append(raw[:most:most], "..."...)
	}
	m.problem(name, fmt.Sprintf("want %s, is %q", what, raw))
}

func (m *members) has(name string) bool { _, ok := m.m[name]; return ok }

func (m *members) drop(name string) { delete(m.m, name) }

// require says whether the field is there and not null.
func (m *members) require(name string) bool {
	raw, ok := m.m[name]
	if !ok || string(raw) == "null" {
		m.problem(name, "missing")
		return false
	}
	return true
}

// take gives the text of a field, nil where there is none.
func (m *members) take(name string) []byte {
	raw, ok := m.m[name]
	if !ok {
		return nil
	}
	delete(m.m, name)
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (m *members) int(name string, absent int64) int64 {
	raw := m.take(name)
	if raw == nil {
		return absent
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		m.want("a whole number of 64 bits", name, raw)
	}
	return n
}

func (m *members) int32(name string, absent int32) int32 {
	raw := m.take(name)
	if raw == nil {
		return absent
	}
	n, err := strconv.ParseInt(string(raw), 10, 32)
	if err != nil {
		m.want("a whole number of 32 bits", name, raw)
	}
	return int32(n)
}

func (m *members) uint(name string) uint64 {
	raw := m.take(name)
	if raw == nil {
		return 0
	}
	n, err := strconv.ParseUint(string(raw), 10, 64)
	if err != nil {
		m.want("a whole number that is not negative", name, raw)
	}
	return n
}

// quoted reads a number that is written as a string; see object.fingerprint.
func (m *members) quoted(name string) uint64 {
	if raw := m.take(name); raw != nil {
		return m.parseQuoted(name, raw)
	}
	return 0
}

func (m *members) parseQuoted(name string, raw []byte) uint64 {
	if len(raw) > 2 && raw[0] == '"' {
		if n, err := strconv.ParseUint(string(raw[1:len(raw)-1]), 10, 64); err == nil {
			return n
		}
	}
	m.want("a string of decimal digits below 2^64", name, raw)
	return 0
}

func (m *members) bool(name string) bool {
	raw := m.take(name)
	if raw != nil && string(raw) != "true" && string(raw) != "false" {
		m.want("true or false", name, raw)
	}
	return string(raw) == "true"
}

func (m *members) str(name string) string {
	raw := m.take(name)
	if raw == nil {
		return ""
	}
	s, ok := unquote(raw)
	if !ok {
		m.want("a string", name, raw)
	}
	return s
}

// unquote reads a JSON string; what is not UTF-8 in it becomes U+FFFD.
func unquote(raw []byte) (s string, ok bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c >= 0x80 || c == '\\' {
			return s, json.Unmarshal(raw, &s) == nil
		}
	}
	return string(inner), true
}

func (m *members) array(name string) (elements []json.RawMessage) {
	raw := m.take(name)
	if raw != nil && json.Unmarshal(raw, &elements) != nil {
		m.want("an array", name, raw)
	}
	return elements
}

// object gives a nested object, nil where there is none.
func (m *members) object(name string) *members {
	if raw := m.take(name); raw != nil {
		return m.parse(name, raw)
	}
	return nil
}

func (m *members) parse(name string, raw []byte) *members {
	o, err := parseObject(raw, m.bad)
	if err != nil {
		m.want("an object", name, raw)
		return nil
	}
	o.path = m.path + name + "."
	return o
}

// rest gives the fields that nobody has taken, without white space between
// their tokens; nil if there are none.
func (m *members) rest() map[string]json.RawMessage {
	if len(m.m) == 0 {
		return nil
	}
	for name, raw := range m.m {
		var b bytes.Buffer
		if err := json.Compact(&b, raw); err == nil { // always: it has been parsed
			m.m[name] = b.Bytes()
		}
	}
	return m.m
}

// unknown is rest for a nested object.
func (m *members) unknown() unknown {
	rest := m.rest()
	if rest == nil {
		return ""
	}
	o := object("{")
	o.extra(rest)
	return unknown(o[1:])
}
