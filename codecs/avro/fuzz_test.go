package avro_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	twmb "github.com/twmb/avro"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/avro"
)

// Arbitrary bytes give an answer, and where they are a datum the right one.
func FuzzPlan(f *testing.F) {
	type subject struct {
		codec codecs.Codec
		*reference
	}
	var list []subject
	add := func(schema string, r codecs.Rule) {
		s := subject{mustBuild(f, r, registry{7: {Text: schema}}), newReference(f, schema, r)}
		ask(f, s.codec, &codecs.Message{Value: framed(7, nil)})
		list = append(list, s)
	}
	add(`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"map","values":["null","R","int"]}},{"name":"next","type":["null","R"]},{"name":"ts","type":["string","null","long"]}]}`, codecs.Rule{})
	add(`{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]},{"name":"ts","type":["double","null","float","bytes"]}]}`, codecs.Rule{Fields: []string{"next.next.ts", "next.ts", "ts"}})
	add(`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":{"type":"array","items":"R"}}},
		{"name":"b","type":{"type":"record","name":"B","fields":[{"name":"e","type":{"type":"enum","name":"E","symbols":["A","B"]}},{"name":"n","type":{"type":"array","items":"null"}},
			{"name":"f","type":{"type":"fixed","name":"F","size":3}},{"name":"s","type":"bytes"},{"name":"i","type":"int"},{"name":"j","type":"int"},{"name":"ts","type":{"type":"long","logicalType":"timestamp-micros"}}]}}]}`,
		codecs.Rule{Fields: []string{"b.ts"}})
	for _, name := range []string{"containers", "primitives", "recursive", "several"} {
		schema, err := os.ReadFile(filepath.Join("testdata", "schemas", name+".avsc"))
		if err != nil {
			f.Fatal(err)
		}
		short := strings.ReplaceAll(string(schema), `"namespace": "com.acme",`, "")
		add(short, codecs.Rule{})
	}
	for i := range list {
		f.Add(byte(i), unhex("00"))
		f.Add(byte(i), unhex("02 02 02 00 00 00 02 f6b3b1f5bf68"))
		f.Add(byte(i), unhex("01 04 0102 00 ffffffffffffffffff01 00 00 02"))
	}
	f.Fuzz(func(t *testing.T, which byte, datum []byte) {
		s := list[int(which)%len(list)]
		value := bytes.Clone(framed(7, datum))
		got := ask(t, s.codec, &codecs.Message{Value: value[:len(value):len(value)]})
		if len(datum) > 400 {
			return // may nest deeper than the codec follows
		}
		v, ok := s.decode(datum)
		if !ok {
			return
		}
		// Only twmb takes a block whose size is not that of its items for whole, and an
		// enum that is out of bounds, so that what is compared is what it writes itself.
		again, err := s.schema.Encode(v)
		if err != nil {
			return
		}
		if bytes.Equal(again, datum) {
			if want := s.answer(v); got != want {
				t.Errorf("%x gives %v, want %v", datum, got, want)
			}
		}
		if want := s.answer(v); ask(t, s.codec, &codecs.Message{Value: framed(7, again)}) != want {
			t.Errorf("%x, written again as %x, gives something else than %v", datum, again, want)
		}
	})
}

// Arbitrary schemas make a plan, soon, or are refused; what twmb takes is not.
func FuzzSchema(f *testing.F) {
	paths, err := filepath.Glob(filepath.Join("testdata", "schemas", "*.avsc"))
	if err != nil || len(paths) == 0 {
		f.Fatal("no schemas", err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), []byte{2, 2, 2, 2})
	}
	f.Add(strings.Repeat(`{"type":"array","items":`, 400)+`"int"`+strings.Repeat("}", 400), []byte("\x02\x02\x02"))
	f.Add(doubling(20, `{"type":"record","name":"D0","fields":[{"name":"ts","type":["null","D20"]}]}`), []byte{0})
	f.Add(`{"type":"record","name":"A","fields":[{"name":"a","type":["A","long"],"aliases":["a"],"default":1}]}`, []byte{2, 0})
	rule := codecs.Rule{Fields: []string{"a.a.a.a", "a.ts", "ts", "timestamp", "meta.created"}, AnyCase: true}
	f.Fuzz(func(t *testing.T, schema string, datum []byte) {
		began := time.Now()
		unread := false
		c, err := avro.Builder.Build(rule, &codecs.Env{
			Registries: map[string]codecs.Registry{"main": registry{7: {Text: schema}}},
			Notice:     func(s string) { unread = unread || strings.Contains(s, "cannot be read") },
		})
		if err != nil {
			t.Fatal(err)
		}
		ask(t, c, &codecs.Message{Value: framed(7, datum)})
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("took %s", d)
		}
		if _, err := twmb.Parse(schema); err == nil && unread {
			t.Error("is refused, and twmb takes it")
		}
	})
}

func TestDeepNestingIsRefused(t *testing.T) {
	const n = 100_000
	for _, schema := range []string{
		strings.Repeat(`{"type":"array","items":`, n) + `"int"` + strings.Repeat("}", n),
		strings.Repeat(`{"type":"array","items":`, 2000) + `"int"` + strings.Repeat("}", 2000),
		strings.Repeat("[", n),
	} {
		c := mustBuild(t, codecs.Rule{}, registry{7: {Text: schema}})
		if got := ask(t, c, &codecs.Message{Value: framed(7, []byte{0})}); got != codecs.Malformed {
			t.Errorf("got %v", got)
		}
	}
}
