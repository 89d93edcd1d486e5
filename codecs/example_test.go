package codecs_test

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// A lineCodec reads lines of which one column, split by a bar, is the event
// time in Unix milliseconds.
type lineCodec struct{ column int }

func (c lineCodec) Name() string  { return fmt.Sprintf("line(column=%d)", c.column) }
func (c lineCodec) Basis() string { return audit.BasisPayload }

func (c lineCodec) EventTime(m *codecs.Message) (int64, codecs.Status) {
	if len(m.Value) == 0 {
		return 0, codecs.None
	}
	i := 0
	for column := range bytes.SplitSeq(m.Value, []byte("|")) {
		if i == c.column {
			ms, err := strconv.ParseInt(string(column), 10, 64)
			if err != nil {
				return 0, codecs.Malformed
			}
			return ms, codecs.Found
		}
		i++
	}
	return 0, codecs.Malformed
}

// newLine builds it: its only setting is the number of the column.
func newLine(r codecs.Rule, _ *codecs.Env) (codecs.Codec, error) {
	var p codecs.Problems
	var column int
	for _, s := range r.Settings {
		key, value, _ := strings.Cut(s, "=")
		n, err := strconv.Atoi(value)
		if key != "column" || err != nil || n < 0 {
			p.Add("settings", "%q is not column=N, counted from 0", s)
		}
		column = n
	}
	return lineCodec{column}, p.Err()
}

// A codec of your own is registered by name next to the standard ones, and
// rules ask for it like for those.
func Example() {
	builders := codecs.Standard()
	builders["line"] = codecs.Builder{Keys: []string{"settings"}, Build: newLine}

	selector, err := codecs.NewSelector([]codecs.Rule{
		{Topics: `legacy\..*`, Codecs: []string{"line"}, Settings: []string{"column=1"}},
	}, builders, nil, codecs.Bounds{})
	if err != nil {
		fmt.Println(err)
		return
	}

	x := selector.For("legacy.orders")
	ms, class, _ := x.Extract(&codecs.Message{Value: []byte("4711|1795285199000|sold"), Time: 1795285200000})
	fmt.Println(x.Codec(), ms, class == audit.Timed)

	_, err = codecs.NewSelector([]codecs.Rule{{Topics: ".*", Codecs: []string{"line"}, Settings: []string{"row=1"}, Strict: true}}, builders, nil, codecs.Bounds{})
	fmt.Println(err)
	// Output:
	// line(column=1) 1795285199000 true
	// rules[0].settings: "row=1" is not column=N, counted from 0
	// rules[0].strict: codec line does not take it; leave it out
}
