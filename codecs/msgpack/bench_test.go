package msgpack_test

import (
	"bytes"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"github.com/chaperone-audit/chaperone/codecs"
)

// document is about 200 bytes, with the time as its first or last member.
func document(early bool) (b []byte) {
	add := func(name string) { b = msgp.AppendString(b, name) }
	time := func() { add("ts"); b = msgp.AppendInt64(b, 1795285200123) }
	b = msgp.AppendMapHeader(b, 8)
	if early {
		time()
	}
	add("id")
	b = msgp.AppendString(b, "4f9a3c1e-77d2")
	add("user")
	b = msgp.AppendInt(b, 182736)
	add("lat")
	b = msgp.AppendFloat64(b, 37.7749)
	add("ok")
	b = msgp.AppendBool(b, true)
	add("tags")
	b = msgp.AppendArrayHeader(b, 2)
	b = msgp.AppendString(msgp.AppendString(b, "a"), "b")
	add("at")
	b = msgp.AppendMapHeader(b, 1)
	add("ts")
	b = msgp.AppendInt(b, 2)
	add("note")
	b = msgp.AppendString(b, string(bytes.Repeat([]byte("x"), 110)))
	if !early {
		time()
	}
	return b
}

func Benchmark(b *testing.B) {
	c := mustBuild(b, codecs.Rule{})
	for name, value := range map[string][]byte{"early": document(true), "late": document(false)} {
		m := &codecs.Message{Value: value}
		check(b, c, value, 1795285200123)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				c.EventTime(m)
			}
		})
		b.Run(name+"/msgp", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				if _, _, err := msgp.ReadIntfBytes(value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
