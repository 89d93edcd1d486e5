package avro_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	twmb "github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/codecs"
)

var rules = []codecs.Rule{
	{}, {Unit: "us"}, {Fields: []string{"a", "b", "ts"}}, {Fields: []string{"a.ts", "b.at", "TS"}, AnyCase: true}, {Fields: []string{"at.at", "at.a.ts", "ts"}},
}

func TestTheAnswerIsThatOfAFullDecode(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	seen := map[any]int{}
	for range 600 {
		schema := g.schema()
		for _, rule := range rules {
			r := newReference(t, schema, rule)
			c := mustBuild(t, rule, registry{7: {Text: schema}})
			for range 4 {
				datum := g.datum(r, r.root, 0)
				v, ok := r.decode(datum)
				if !ok {
					t.Fatalf("the generator made %s for %s", clip(fmt.Sprintf("%x", datum)), schema)
				}
				want := r.answer(v)
				// What twmb writes has no blocks with sizes, and one of its own order in maps.
				if again, err := r.schema.Encode(v); err == nil {
					compare(t, c, schema, rule, again, want)
				}
				compare(t, c, schema, rule, datum, want)
				everyPrefix(t, c, schema, rule, datum, want)
				if _, found := want.(int64); found {
					want = codecs.Found
				}
				seen[want]++
			}
		}
	}
	for _, s := range []codecs.Status{codecs.Found, codecs.None, codecs.Malformed} {
		if seen[s] < 300 {
			t.Errorf("only %d answers are %s: the generator is too narrow", seen[s], s)
		}
	}
}

func compare(t *testing.T, c codecs.Codec, schema string, rule codecs.Rule, datum []byte, want any) {
	t.Helper()
	if got := ask(t, c, &codecs.Message{Value: framed(7, datum)}); got != want {
		t.Fatalf("%s\nwith %+v\n%x\ngives %v, want %v", schema, rule, datum, got, want)
	}
}

// everyPrefix checks that a datum which is cut is malformed, up to some length, and
// from there on says what the whole one does.
func everyPrefix(t *testing.T, c codecs.Codec, schema string, rule codecs.Rule, datum []byte, want any) {
	t.Helper()
	value := framed(7, datum)
	answered := false
	for n := max(5, len(value)-300); n < len(value); n++ {
		switch got := ask(t, c, &codecs.Message{Value: value[:n:n]}); {
		case got == want && want != codecs.Malformed:
			answered = true
		case got != codecs.Malformed || answered:
			t.Fatalf("%s\nwith %+v\n%x, cut at %d\ngives %v; the whole gives %v", schema, rule, datum, n-5, got, want)
		}
	}
}

// A generator makes schemas and data, most of them small.
type generator struct {
	*rand.Rand
	names   int      // of types
	records []string // that are open, so that their end must not depend on themselves
	done    []string
}

func (g *generator) schema() string {
	g.names, g.records, g.done = 0, nil, nil
	if g.IntN(10) == 0 {
		return `["null",` + g.record(0) + `]`
	}
	return g.record(0)
}

func (g *generator) name() string {
	g.names++
	return fmt.Sprintf("N%d", g.names)
}

func (g *generator) record(depth int) string {
	name := g.name()
	g.records = append(g.records, name)
	pool := []string{"ts", "TS", "timestamp", "a", "b", "at", "c", "d"}
	g.Shuffle(len(pool), func(i, j int) { pool[i], pool[j] = pool[j], pool[i] })
	n := g.IntN(6)
	var fields []string
	for _, f := range pool[:n] {
		alias := ""
		if n < len(pool)-1 && g.IntN(4) == 0 {
			alias = `"aliases":["` + pool[len(pool)-1] + `"],`
			pool = pool[:len(pool)-1]
		}
		fields = append(fields, `{"name":"`+f+`",`+alias+`"type":`+g.kind(depth+1)+`}`)
	}
	g.records = g.records[:len(g.records)-1]
	g.done = append(g.done, name)
	return `{"type":"record","name":"` + name + `","fields":[` + strings.Join(fields, ",") + `]}`
}

var leaves = []string{
	`"null"`, `"boolean"`, `"int"`, `"long"`, `"float"`, `"double"`, `"bytes"`, `"string"`,
	`{"type":"long","logicalType":"timestamp-millis"}`, `{"type":"long","logicalType":"timestamp-micros"}`, `{"type":"long","logicalType":"timestamp-nanos"}`,
	`{"type":"long","logicalType":"local-timestamp-millis"}`, `{"type":"long","logicalType":"local-timestamp-micros"}`,
	`{"type":"int","logicalType":"date"}`, `{"type":"int","logicalType":"time-millis"}`,
}

func (g *generator) kind(depth int) string {
	if depth < 5 {
		switch g.IntN(12) {
		case 0, 1:
			return g.record(depth)
		case 2:
			return `{"type":"array","items":` + g.nested(depth) + `}`
		case 3:
			return `{"type":"map","values":` + g.nested(depth) + `}`
		case 4, 5:
			list := []string{`"null"`, g.branch(depth)}
			for _, more := range []string{`"string"`, `{"type":"long","logicalType":"timestamp-micros"}`, `"double"`, g.record(depth + 1)} {
				if g.IntN(4) == 0 && !strings.Contains(list[1], more) && !(strings.Contains(more, `"long"`) && strings.HasPrefix(list[1], `{"type":"long"`)) && list[1] != `"long"` {
					list = append(list, more)
				}
			}
			g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			return "[" + strings.Join(list, ",") + "]"
		case 6:
			return `{"type":"fixed","name":"` + g.name() + `","size":` + fmt.Sprint(g.IntN(20)) + `}`
		case 7:
			return `{"type":"enum","name":"` + g.name() + `","symbols":["A","B","C"]}`
		}
	}
	return leaves[g.IntN(len(leaves))]
}

// nested is the type of an item: there may be none, so it may be a record around it.
func (g *generator) nested(depth int) string {
	if g.IntN(4) == 0 {
		return `"` + g.records[g.IntN(len(g.records))] + `"`
	}
	return g.kind(depth + 1)
}

// branch is one beside null.
func (g *generator) branch(depth int) string {
	switch g.IntN(3) {
	case 0:
		return `"` + g.records[g.IntN(len(g.records))] + `"`
	case 1:
		return g.record(depth + 1)
	}
	return leaves[1+g.IntN(len(leaves)-1)]
}

// datum writes a value: near the top anything, further down what ends soon.
func (g *generator) datum(r *reference, n *twmb.SchemaNode, depth int) []byte {
	n = r.resolve(n)
	switch n.Type {
	case "null":
		return nil
	case "boolean":
		return []byte{byte(g.IntN(2))}
	case "int":
		return long(int64(int32(g.number())))
	case "long":
		return long(g.number())
	case "float":
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(g.float())))
	case "double":
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(g.float()))
	case "fixed":
		return make([]byte, n.Size)
	case "enum":
		return long(int64(g.IntN(len(n.Symbols))))
	case "bytes", "string":
		return text(g.text())
	case "record":
		var b []byte
		for i := range n.Fields {
			b = append(b, g.datum(r, &n.Fields[i].Type, depth+1)...)
		}
		return b
	case "union":
		i := g.IntN(len(n.Branches))
		for k := range n.Branches {
			if depth > 8 && n.Branches[k].Type == "null" {
				i = k
			}
		}
		return append(long(int64(i)), g.datum(r, &n.Branches[i], depth+1)...)
	}
	var b []byte
	for blocks := g.IntN(3); blocks > 0 && depth < 8; blocks-- {
		count := 1 + g.IntN(3)
		var items []byte
		for range count {
			if n.Type == "map" {
				items = append(items, text(fmt.Sprint(g.IntN(1e9)))...)
				items = append(items, g.datum(r, n.Values, depth+1)...)
			} else {
				items = append(items, g.datum(r, n.Items, depth+1)...)
			}
		}
		if g.IntN(2) == 0 {
			b = append(append(b, long(int64(count))...), items...)
		} else {
			b = append(append(append(b, long(int64(-count))...), long(int64(len(items)))...), items...)
		}
	}
	return append(b, 0)
}

func (g *generator) number() int64 {
	switch n := g.Int64(); g.IntN(6) {
	case 0:
		return n
	case 1:
		return -n
	case 2:
		return n % 100
	case 3:
		return n % 4e9
	case 4:
		return n%8e12 - 4e12
	default:
		return n % 4e15
	}
}

func (g *generator) float() float64 {
	return []float64{float64(g.number()), g.NormFloat64() * 1e9, math.NaN(), math.Inf(-1)}[min(g.IntN(10), 3)*g.IntN(2)]
}

func (g *generator) text() string {
	switch g.IntN(4) {
	case 0:
		return fmt.Sprint(g.number())
	case 1:
		return time.UnixMilli(g.number() % 1e14).UTC().Format(time.RFC3339Nano)
	case 2:
		return string(bytes.Repeat([]byte("x"), g.IntN(200)))
	}
	return ""
}

func long(n int64) []byte { return binary.AppendUvarint(nil, uint64(n<<1^n>>63)) }

func text(s string) []byte { return append(long(int64(len(s))), s...) }
