package codecs_test

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

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

// newLine builds it: the rule's only field is the number of the column.
func newLine(r codecs.Rule) (codecs.Codec, error) {
	if len(r.Fields) != 1 {
		return nil, &codecs.Problem{Key: "fields", Err: errors.New("codec line needs one: the number of the column")}
	}
	column, err := strconv.Atoi(r.Fields[0])
	if err != nil || column < 0 {
		return nil, &codecs.Problem{Key: "fields", Err: fmt.Errorf("%q is not the number of a column, counted from 0", r.Fields[0])}
	}
	return lineCodec{column}, nil
}

// A codec of your own is registered by name next to the standard ones, and
// rules ask for it like for those.
func Example() {
	builders := codecs.Standard()
	builders["line"] = newLine

	selector, err := codecs.NewSelector([]codecs.Rule{
		{Topics: `legacy\..*`, Codec: "line", Fields: []string{"1"}},
	}, builders, codecs.Bounds{})
	if err != nil {
		fmt.Println(err)
		return
	}

	x := selector.For("legacy.orders")
	ms, class := x.Extract(&codecs.Message{Value: []byte("4711|1795285199000|sold"), Time: 1795285200000})
	fmt.Println(x.Codec(), ms, class == audit.Timed)

	_, err = codecs.NewSelector([]codecs.Rule{{Topics: ".*", Codec: "line"}}, builders, codecs.Bounds{})
	fmt.Println(err)
	// Output:
	// line(column=1) 1795285199000 true
	// rules[0].fields: codec line needs one: the number of the column
}
