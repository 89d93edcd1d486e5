package codecs_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/valyala/fastjson"

	"github.com/chaperone-audit/chaperone/codecs"
)

// documents are 200 bytes long, with the time as first, middle or last member.
var documents = map[string][]byte{
	"early":  document(`"ts":1795285200123,`, ``, ``),
	"middle": document(``, `"ts":1795285200123,`, ``),
	"late":   document(``, ``, `,"ts":1795285200123`),
}

func document(early, middle, late string) []byte {
	d := fmt.Sprintf(`{%s"id":"4f9a3c1e-77d2","user":182736,"city":"sf","ok":true,"lat":37.7749,%s"price":12.5,"tags":["a","b"],"at":{"x":1,"ts":2},"note":""%s}`, early, middle, late)
	pad := bytes.Repeat([]byte("x"), 200-len(d))
	return bytes.Replace([]byte(d), []byte(`"note":"`), append([]byte(`"note":"`), pad...), 1)
}

func BenchmarkJSON(b *testing.B) {
	for _, place := range []string{"early", "middle", "late"} {
		m := &codecs.Message{Value: documents[place], Time: 1795285201000}
		for _, strict := range []bool{false, true} {
			x := mustSelect(b, codecs.Rule{Topics: ".*", Codecs: []string{"json"}, Strict: strict})
			b.Run(fmt.Sprintf("%s/strict=%t", place, strict), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(m.Value)))
				for b.Loop() {
					x.Extract(m)
				}
			})
		}
		b.Run(place+"/fastjson", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(m.Value)))
			var p fastjson.Parser
			for b.Loop() {
				v, err := p.ParseBytes(m.Value)
				if err != nil || v.GetInt64("ts") == 0 {
					b.Fatal(v, err)
				}
			}
		})
	}
	m := &codecs.Message{Value: []byte(`{"ts":"2026-11-23T23:16:25.123+01:00"}`), Time: 1795472184000}
	x := mustSelect(b)
	b.Run("rfc3339", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			x.Extract(m)
		}
	})
}

// mustSelect is the extractor that rules give to a topic.
func mustSelect(t testing.TB, rules ...codecs.Rule) *codecs.Extractor {
	t.Helper()
	return mustSelectFor(t, "topic", rules...)
}
