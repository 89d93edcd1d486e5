package cbor_test

import (
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/chaperone-audit/chaperone/codecs"
)

// document is about 200 bytes, with the time as its first or last member.
func document(t testing.TB, early bool) []byte {
	t.Helper()
	members := []any{
		"id", "4f9a3c1e-77d2", "user", 182736, "lat", 37.7749, "ok", true, "tags", []string{"a", "b"},
		"at", map[string]int{"ts": 2}, "note", strings.Repeat("x", 110),
	}
	when := []any{"ts", 1795285200123}
	if early {
		members = append(when, members...)
	} else {
		members = append(members, when...)
	}
	b := []byte{0xa0 + byte(len(members)/2)}
	for _, m := range members {
		item, err := cbor.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, item...)
	}
	return b
}

func Benchmark(b *testing.B) {
	c := mustBuild(b, codecs.Rule{})
	for name, early := range map[string]bool{"early": true, "late": false} {
		value := document(b, early)
		m := &codecs.Message{Value: value}
		check(b, c, value, 1795285200123)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				c.EventTime(m)
			}
		})
		b.Run(name+"/fxamacker", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(value)))
			for b.Loop() {
				var v struct {
					TS int64 `cbor:"ts"`
				}
				if err := cbor.Unmarshal(value, &v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
