package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// lineBuilder makes the codec "line" for rules such as
//
//	codecs:
//	  - topics: "legacy[.].*"
//	    codec: line
//	    settings: [column=1]
var lineBuilder = codecs.Builder{Keys: []string{"settings", "unit"}, Build: newLine}

// A lineCodec reads values that are lines of columns with a bar between them, of which
// one holds the event time.
type lineCodec struct {
	column int
	times  codecs.Times // reads numbers and texts as all codecs do
	name   string
}

func newLine(r codecs.Rule, _ *codecs.Env) (codecs.Codec, error) {
	var p codecs.Problems
	c := &lineCodec{times: codecs.NewTimes(r, &p)}
	for _, s := range r.Settings {
		key, value, _ := strings.Cut(s, "=")
		n, err := strconv.Atoi(value)
		if key != "column" || err != nil || n < 0 {
			p.Add("settings", "%q is not column=N, counted from 0", s)
		}
		c.column = n
	}
	// All settings that change an answer are part of the name: it stands for the answers.
	c.name = codecs.Named("line", append([]string{fmt.Sprintf("column=%d", c.column)}, c.times.Names()...)...)
	return c, p.Err()
}

func (c *lineCodec) Name() string  { return c.name }
func (c *lineCodec) Basis() string { return audit.BasisPayload }

func (c *lineCodec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	if len(m.Value) == 0 {
		return 0, codecs.None // a tombstone
	}
	rest := m.Value
	for range c.column {
		i := bytes.IndexByte(rest, '|')
		if i < 0 {
			return 0, codecs.Malformed
		}
		rest = rest[i+1:]
	}
	if i := bytes.IndexByte(rest, '|'); i >= 0 {
		rest = rest[:i]
	}
	if len(rest) == 0 {
		return 0, codecs.None
	}
	ms, ok := c.times.Text(rest)
	if !ok {
		return 0, codecs.Malformed
	}
	return ms, codecs.Found
}
