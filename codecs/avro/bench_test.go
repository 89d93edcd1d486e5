package avro_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

// Of the names: where the time is among the fields, and how large the value is.
func BenchmarkEventTime(b *testing.B) {
	const at = 1795285200123
	for _, size := range []int{100, 1000, 100_000} {
		for _, where := range []string{"first", "middle", "last"} {
			b.Run(fmt.Sprintf("%s/%d", where, size), func(b *testing.B) {
				s := mustParse(b, orderSchema(where))
				order := map[string]any{"id": int64(123456), "customer": "c-123456", "total": 12.5, "open": true, "ts": int64(at), "state": "NEW", "note": nil, "lines": []any{}, "gifts": []any{}}
				half := "lines"
				for n := size - len(mustEncode(b, s, order)); n > 0; n -= 20 {
					order[half] = append(order[half].([]any), map[string]any{"sku": strings.Repeat("x", 9), "count": int32(3), "price": 9.99})
					half = map[string]string{"lines": "gifts", "gifts": "lines"}[half]
				}
				c := mustBuild(b, codecs.Rule{}, registry{7: {Text: s.String()}})
				m := &codecs.Message{Value: framed(7, mustEncode(b, s, order))}
				if got := ask(b, c, m); got != int64(at) {
					b.Fatal(got)
				}
				b.SetBytes(int64(len(m.Value)))
				b.ReportAllocs()
				for b.Loop() {
					c.EventTime(m)
				}
			})
		}
	}
}

// Topics mix the versions of a schema.
func BenchmarkEventTimeOfManySchemas(b *testing.B) {
	s := mustParse(b, orderSchema("first"))
	all := registry{}
	for id := range uint32(100) {
		all[id] = codecs.Schema{Text: s.String()}
	}
	c := mustBuild(b, codecs.Rule{}, all)
	var list []*codecs.Message
	for id := range uint32(100) {
		list = append(list, &codecs.Message{Value: framed(id, []byte("\xf6\xd5\xe7\x9b\xbf\x68"))})
		ask(b, c, list[id])
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		c.EventTime(list[i])
		if i++; i == len(list) {
			i = 0
		}
	}
}

// orderSchema is that of a record whose time is the first of its fields, or behind
// half of the value, or the last.
func orderSchema(where string) string {
	ts := `{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}}`
	fields := []string{
		`{"name":"id","type":"long"}`, `{"name":"customer","type":"string"}`, `{"name":"total","type":"double"}`, `{"name":"open","type":"boolean"}`,
		`{"name":"state","type":{"type":"enum","name":"State","symbols":["NEW","PAID","SENT"]}}`, `{"name":"note","type":["null","string"]}`,
		`{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
			{"name":"sku","type":"string"},{"name":"count","type":"int"},{"name":"price","type":"double"}]}}}`,
		`{"name":"gifts","type":{"type":"array","items":"Line"}}`,
	}
	fields = slices.Insert(fields, map[string]int{"first": 0, "middle": len(fields) - 1, "last": len(fields)}[where], ts)
	return `{"type":"record","name":"Order","namespace":"com.acme","fields":[` + strings.Join(fields, ",") + `]}`
}
