package protobuf_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

func TestWire(t *testing.T) {
	deep := strings.Repeat("13", 20_000) + strings.Repeat("14", 20_000)
	for _, tc := range []struct {
		name, fields, value string
		want                any
		rule                codecs.Rule
	}{
		{name: "a varint", fields: "5", value: "28 d0c187d806", want: 1795285200000},
		{name: "ten bytes of it are negative", fields: "5", value: "28 ffffffffffffffffff01", want: -1000},
		{name: "a varint with bytes too many", fields: "5", value: "28 8100", want: 1000},
		{name: "a varint of eleven bytes", fields: "5", value: "28 8080808080808080808000", want: codecs.Malformed},
		{name: "a tag with bytes too many", fields: "5", value: "a800 01", want: 1000},
		{name: "zero on the wire", fields: "5", value: "28 00", want: 0},
		{name: "64 bits", fields: "5", value: "29 feffffffffffffff", want: -2000},
		{name: "32 bits", fields: "5", value: "2d ffffffff", want: 4294967295000},
		{name: "an empty Timestamp", fields: "5", value: "2a 00", want: 0},
		{name: "a Timestamp", fields: "5", value: "2a 0b 08 d0c187d806 10 ffad903b", want: 1795285200123},
		{name: "nanoseconds only", fields: "5", value: "2a 05 10 ffad903b", want: 123},
		{name: "a text", fields: "5", value: "2a 03 312e35", want: 1500},
		{name: "a text that is no time", fields: "5", value: "2a 01 41", want: codecs.Malformed},
		{name: "a Timestamp that is a group", fields: "5", value: "2b 08 01 2c", want: 1000},
		{name: "nanoseconds below 0", fields: "5", value: "2a 0b 10 ffffffffffffffffff01", want: codecs.Malformed},
		{name: "nanoseconds of a second and more", fields: "5", value: "2a 06 10 8094ebdc03", want: codecs.Malformed},
		{name: "seconds that overflow", fields: "5", value: "2a 0a 08 ffffffffffffffff7f", want: codecs.Malformed},
		{name: "a broken Timestamp", fields: "5", value: "2a 02 08 80", want: codecs.Malformed},
		{name: "the last one counts", fields: "5", value: "28 01 28 02", want: 2000},
		{name: "even of another wire type", fields: "5", value: "28 01 2a 01 33", want: 3000},
		{name: "Timestamps merge", fields: "5", value: "2a 02 08 01 2a 05 10 ffad903b 2a 02 08 02", want: 2123},
		{name: "but not across what is none", fields: "5", value: "2a 02 08 01 28 07 2a 05 10 ffad903b", want: 123},
		{name: "what comes first in the rule", fields: "5 6", value: "30 02 28 01", want: 1000},
		{name: "else the second", fields: "5 6", value: "30 02", want: 2000},
		{name: "a path", fields: "3.1", value: "1a 02 08 07", want: 7000},
		{name: "its messages merge", fields: "3.1", value: "1a 02 08 07 1a 02 10 08", want: 7000},
		{name: "a path through a group", fields: "3.1", value: "1b 08 07 1c", want: 7000},
		{name: "a path through a number", fields: "3.1", value: "18 07", want: codecs.None},
		{name: "a broken message on the path", fields: "3.1", value: "1a 02 08 80", want: codecs.Malformed},
		{name: "one beside it is not looked at", fields: "3.1", value: "22 02 08 80 1a 02 08 07", want: 7000},
		{name: "behind the time too all must be in format", fields: "5", value: "28 01 08", want: codecs.Malformed},
		{name: "a group", fields: "5", value: "13 1b 08 80 01 1c 22 01 00 14 28 01", want: 1000},
		{name: "a group in a group of its number", fields: "5", value: "13 13 14 14 28 01", want: 1000},
		{name: "a group that does not end", fields: "5", value: "13 28 01", want: codecs.Malformed},
		{name: "a group that ends as another", fields: "5", value: "13 1c 28 01", want: codecs.Malformed},
		{name: "the end of no group", fields: "5", value: "14 28 01", want: codecs.Malformed},
		{name: "groups without end", fields: "5", value: strings.Repeat("13", 100_000), want: codecs.Malformed},
		{name: "groups too deep", fields: "5", value: deep, want: codecs.Malformed},
		{name: "field 0", fields: "5", value: "00 00 28 01", want: codecs.Malformed},
		{name: "the largest field", fields: "536870911", value: "f8ffffff0f 01", want: 1000},
		{name: "one above it", fields: "5", value: "8080808010 01 28 01", want: codecs.Malformed},
		{name: "wire type 6", fields: "5", value: "2e 01", want: codecs.Malformed},
		{name: "a length beyond the end", fields: "5", value: "2a 02 31", want: codecs.Malformed},
		{name: "a length that overflows", fields: "5", value: "2a ffffffffffffffffff01", want: codecs.Malformed},
		{name: "nothing", fields: "5", value: "", want: codecs.None},
		{name: "no such field", fields: "5", value: "08 01", want: codecs.None},
		{name: "unit", fields: "5", value: "28 d0c187d806", want: 1795285200, rule: codecs.Rule{Unit: "ms"}},
		{name: "a layout", fields: "5", value: "2a 10 323032362d30312d30322030333a3034", want: 1767323040000, rule: codecs.Rule{Layouts: []string{"2006-01-02 15:04"}}},

		{name: "framed", fields: "5", value: "00 ffffffff 00 28 01", want: 1000, rule: codecs.Rule{Framing: "registry"}},
		{name: "framed, of a nested type", fields: "5", value: "00 00000001 06 00 00 fe07 28 01", want: 1000, rule: codecs.Rule{Framing: "registry"}},
		{name: "framed, with a count that lies", fields: "5", value: "00 00000001 feffffff0f 28 01", want: codecs.Malformed, rule: codecs.Rule{Framing: "registry"}},
		{name: "framed, with a negative index", fields: "5", value: "00 00000001 02 01 28 01", want: codecs.Malformed, rule: codecs.Rule{Framing: "registry"}},
		{name: "framed, and empty", fields: "5", value: "00 00000001 00", want: codecs.None, rule: codecs.Rule{Framing: "registry"}},
		{name: "framed, and cut", fields: "5", value: "00 00000001", want: codecs.Malformed, rule: codecs.Rule{Framing: "registry"}},
		{name: "not framed", fields: "5", value: "28 01 28 01 28 01", want: codecs.Malformed, rule: codecs.Rule{Framing: "registry"}},
		{name: "no value", fields: "5", value: "", want: codecs.None, rule: codecs.Rule{Framing: "registry"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.rule.Fields = strings.Fields(tc.fields); tc.rule.Framing == "" {
				tc.rule.Framing = "raw"
			}
			c := mustBuild(t, tc.rule, nil)
			m := &codecs.Message{Value: slices.Clip(mustHex(t, strings.ReplaceAll(tc.value, " ", "")))}
			check(t, c, m, tc.want)
			if n := testing.AllocsPerRun(10, func() { c.EventTime(m) }); n != 0 {
				t.Errorf("costs %v allocations", n)
			}
		})
	}
}

func TestAnyCaseTakesTheExactNameElseTheFirst(t *testing.T) {
	for _, tc := range []struct {
		field   string
		anyCase bool
		want    any
	}{
		{"ts", false, 2000}, {"Ts", false, 1000}, {"ts", true, 2000}, {"TS", true, 2000}, {"", false, 2000},
	} {
		r := codecs.Rule{Framing: "raw", Schemas: []string{"testdata/shop.pb"}, Message: "shop.Meta.Inner", AnyCase: tc.anyCase}
		if tc.field != "" {
			r.Fields = []string{tc.field}
		}
		check(t, mustBuild(t, r, nil), &codecs.Message{Value: mustHex(t, "08011002")}, tc.want)
	}
}

// FuzzNumbers has no full decode to agree with, but the same message in a frame.
func FuzzNumbers(f *testing.F) {
	f.Add(mustHex(f, "2801"), []byte{0})
	f.Add(mustHex(f, "2a020801"), []byte{4, 2, 0})
	f.Add(mustHex(f, "1b08071c"), []byte{0xfe, 0xff, 0xff, 0xff, 0x0f})
	raw := mustBuild(f, codecs.Rule{Framing: "raw", Fields: []string{"5", "3.1", "3.2.1"}}, nil)
	framed := mustBuild(f, codecs.Rule{Fields: []string{"5", "3.1", "3.2.1"}}, nil)
	f.Fuzz(func(t *testing.T, b, index []byte) {
		b = slices.Clip(b)
		ms, s := raw.EventTime(&codecs.Message{Value: b})
		if fms, fs := framed.EventTime(&codecs.Message{Value: slices.Clip(frame(b))}); fs != s || fms != ms {
			t.Errorf("%x is %s %d, and in a frame %s %d", b, s, ms, fs, fms)
		}
		framed.EventTime(&codecs.Message{Value: slices.Clip(append(append([]byte{0, 0, 0, 0, 1}, index...), b...))})
		framed.EventTime(&codecs.Message{Value: b})
	})
}
