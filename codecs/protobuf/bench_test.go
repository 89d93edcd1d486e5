package protobuf_test

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/chaperone-audit/chaperone/codecs"
)

// message is about 200 bytes in 12 fields, with a Timestamp among them.
func message() (b []byte) {
	b = protowire.AppendString(protowire.AppendTag(b, 13, protowire.BytesType), "2026-11-21T18:20:00.123Z")
	for n := protowire.Number(1); n <= 6; n++ {
		b = protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), 1795285200+uint64(n))
	}
	b = protowire.AppendFixed64(protowire.AppendTag(b, 12, protowire.Fixed64Type), 1)
	at := protowire.AppendVarint([]byte{1 << 3}, 1795285200)
	at = protowire.AppendVarint(append(at, 2<<3), 123_000_000)
	b = protowire.AppendBytes(protowire.AppendTag(b, 14, protowire.BytesType), at)
	b = protowire.AppendBytes(protowire.AppendTag(b, 18, protowire.BytesType), bytes.Repeat([]byte("x"), 80))
	return protowire.AppendBytes(protowire.AppendTag(b, 15, protowire.BytesType), b[:32])
}

func Benchmark(b *testing.B) {
	m, list := loadWire(b)
	value := message()
	run := func(name string, c codecs.Codec, value []byte) {
		m := &codecs.Message{Value: value}
		if _, s := c.EventTime(m); s != codecs.Found {
			b.Fatal(s)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				c.EventTime(m)
			}
		})
	}
	run("number", mustBuild(b, codecs.Rule{Fields: []string{"2"}}, nil), frame(value))
	run("number/nested", mustBuild(b, codecs.Rule{Fields: []string{"15.13"}}, nil), frame(value))
	run("number/Timestamp", mustBuild(b, codecs.Rule{Fields: []string{"14"}}, nil), frame(value))
	for _, w := range list {
		switch name := w.rule.Fields[0]; name {
		case "i64", "at", "text":
			if len(w.rule.Fields) == 1 {
				run("name/"+name+"/registry", w.framed, frame(value))
				run("name/"+name+"/raw", w.raw, value)
			}
		}
	}
	b.Run("dynamicpb", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(value)))
		full := dynamicpb.NewMessage(m)
		for b.Loop() {
			if err := proto.Unmarshal(value, full); err != nil {
				b.Fatal(err)
			}
		}
	})
}
