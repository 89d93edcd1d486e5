package cbor_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/cbor"
)

func TestPythonWritesTheSameTimes(t *testing.T) {
	b, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden []struct {
		Name, Hex string
		Want      int
	}
	if err := json.Unmarshal(b, &golden); err != nil {
		t.Fatal(err)
	}
	c := mustBuild(t, codecs.Rule{})
	for _, tc := range golden {
		t.Run(tc.Name, func(t *testing.T) { check(t, c, mustHex(t, tc.Hex), tc.Want) })
	}
}

func TestCBOR(t *testing.T) {
	const ts = "627473"
	for _, tc := range []struct {
		name, value string
		want        any
		rule        codecs.Rule
	}{
		{name: "no value", value: "", want: codecs.None},
		{name: "an empty map", value: "a0", want: codecs.None},
		{name: "an empty map without a count", value: "bf ff", want: codecs.None},
		{name: "one that does not end", value: "bf", want: codecs.Malformed},
		{name: "something behind a map without time", value: "a0 00", want: codecs.Malformed},
		{name: "something behind one without a count", value: "bf ff ff", want: codecs.Malformed},
		{name: "something behind one with a time", value: "a1" + ts + "01 ff", want: 1000},
		{name: "a map that is cut behind it", value: "a1" + ts + "01", want: 1000},
		{name: "and before it", value: "a2 6161 01", want: codecs.Malformed},
		{name: "a count that lies", value: "a9" + ts, want: codecs.Malformed},
		{name: "one of 64 bits", value: "bbffffffffffffffff" + ts + "01", want: codecs.Malformed},
		{name: "the end in place of a value", value: "bf" + ts + "ff", want: codecs.Malformed},
		{name: "the end of what has a count", value: "a1 ff", want: codecs.Malformed},
		{name: "null goes on", value: "a2" + ts + "f6 69 74696d657374616d70 02", want: 2000},
		{name: "undefined too", value: "a2" + ts + "f7 69 74696d657374616d70 02", want: 2000},
		{name: "the first in document order", value: "a2 69 74696d657374616d70 02" + ts + "01", want: 2000},
		{name: "the first of twins", value: "a2" + ts + "01" + ts + "02", want: 1000},
		{name: "keys that are no text", value: "a6 01 01 f6 01 8101 01 a1" + ts + "01 01 c1" + ts + "01" + ts + "03", want: 3000},
		{name: "a key in chunks", value: "a1 7f 6174 60 6173 ff 01", want: 1000},
		{name: "a long key in chunks", value: "a2 7f 7840" + strings.Repeat("74", 64) + "6173 ff 01" + ts + "01", want: 1000},
		{name: "a key in chunks of something else", value: "a1 7f 4174 ff 01", want: codecs.Malformed},
		{name: "a key in chunks of chunks", value: "a1 7f 7f 6174 ff ff 01", want: codecs.Malformed},
		{name: "a key in chunks that does not end", value: "a1 7f 6174", want: codecs.Malformed},
		{name: "an array as document", value: "81" + ts, want: codecs.Malformed},
		{name: "another tag before the document", value: "c1 a0", want: codecs.Malformed},
		{name: "true", value: "a1" + ts + "f5", want: codecs.Malformed},
		{name: "binary", value: "a1" + ts + "4131", want: codecs.Malformed},
		{name: "an array", value: "a1" + ts + "8101", want: codecs.Malformed},
		{name: "a map", value: "a1" + ts + "a101 01", want: codecs.Malformed},
		{name: "a number beyond 64 bits", value: "a1" + ts + "c2 49 010000000000000000", want: codecs.Malformed},
		{name: "the largest integer", value: "a1" + ts + "1bffffffffffffffff", want: 18446744073709},
		{name: "the smallest integer", value: "a1" + ts + "3b7fffffffffffffff", want: -9223372036855},
		{name: "one below it", value: "a1" + ts + "3b8000000000000000", want: codecs.Malformed},
		{name: "a half that is not a number", value: "a1" + ts + "f97e00", want: codecs.Malformed},
		{name: "a half that is infinite", value: "a1" + ts + "f9fc00", want: codecs.Malformed},
		{name: "the smallest half", value: "a1" + ts + "f90001", want: 0},
		{name: "a text in chunks", value: "a1" + ts + "7f 6131 6132 ff", want: 12000},
		{name: "a text in chunks that is too long", value: "a1" + ts + "7f" + strings.Repeat("6131", 65) + "ff", want: codecs.Malformed},
		{name: "tag 0 of a number", value: "a1" + ts + "c001", want: codecs.Malformed},
		{name: "tag 1 of a text", value: "a1" + ts + "c16131", want: codecs.Malformed},
		{name: "tag 1 is seconds", value: "a1" + ts + "c11b000001a1ffe5c67b", want: 1795294611067000},
		{name: "whatever the unit", value: "a1" + ts + "c101", want: 1000, rule: codecs.Rule{Unit: "ms"}},
		{name: "which else holds", value: "a1" + ts + "01", want: 1, rule: codecs.Rule{Unit: "ms"}},
		{name: "tag 1 of tag 1", value: "a1" + ts + "c1c101", want: codecs.Malformed},
		{name: "a reserved length", value: "a1" + ts + "1c", want: codecs.Malformed},
		{name: "a number without end", value: "a1" + ts + "1f", want: codecs.Malformed},
		{name: "a simple value of two bytes that has one", value: "a2 6161 f81f" + ts + "01", want: codecs.Malformed},
		{name: "an integer that is cut", value: "a1" + ts + "1b00000000000000", want: codecs.Malformed},
		{name: "a million arrays", value: "a2 6161" + strings.Repeat("81", 1e6) + "00" + ts + "01", want: 1000},
		{name: "a million tags", value: "a2 6161" + strings.Repeat("c6", 1e6) + "00" + ts + "01", want: 1000},
		{name: "32 arrays without a count", value: "a2 6161" + strings.Repeat("9f", 32) + strings.Repeat("ff", 32) + ts + "01", want: 1000},
		{name: "33 of them", value: "a2 6161" + strings.Repeat("9f", 33) + strings.Repeat("ff", 33) + ts + "01", want: codecs.Malformed},
		{name: "with and without counts", value: "a2 6161 9f 82 9f 01 ff bf 01 02 ff a1 01 9f 7f 6161 ff 5f 4161 ff ff ff" + ts + "01", want: 1000},
		{name: "a map with half a pair", value: "a2 6161 bf 01 02 03 ff" + ts + "01", want: codecs.Malformed},
		{name: "chunks of another kind", value: "a2 6161 5f 6161 ff" + ts + "01", want: codecs.Malformed},
		{name: "the end inside of what has a count", value: "a2 6161 9f 82 01 ff ff" + ts + "01", want: codecs.Malformed},
		{name: "an array that lies", value: "a2 6161 9bffffffffffffffff" + ts + "01", want: codecs.Malformed},
		{name: "maps that lie", value: "a2 6161" + strings.Repeat("ba000003e8", 300), want: codecs.Malformed},

		{name: "a path", value: "a2 6161 a2 6163 02 6162 07" + ts + "01", want: 7000, rule: codecs.Rule{Fields: []string{"a.b"}}},
		{name: "a path without counts", value: "bf 6161 bf 6163 02 ff 6161 bf 6162 07 ff ff", want: 7000, rule: codecs.Rule{Fields: []string{"a.b"}}},
		{name: "a path through a tag", value: "a1 6161 c6 a1 6162 07", want: codecs.None, rule: codecs.Rule{Fields: []string{"a.b"}}},
		{name: "a path that does not end", value: "a2 6161 a1 6163 02 6162 03", want: 3000, rule: codecs.Rule{Fields: []string{"a.b", "b"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			check(t, mustBuild(t, tc.rule), mustHex(t, strings.ReplaceAll(tc.value, " ", "")), tc.want)
		})
	}
}

func TestTheNameHoldsTheSettings(t *testing.T) {
	for want, rule := range map[string]codecs.Rule{
		"cbor":                        {},
		"cbor(fields=a.b|c,any-case)": {Fields: []string{"C", "a.B"}, AnyCase: true},
		"cbor(unit=us)":               {Unit: "us"},
	} {
		if got := mustBuild(t, rule).Name(); got != want {
			t.Errorf("%+v has name %s, want %s", rule, got, want)
		}
	}
	if c, err := cbor.Builder.Build(codecs.Rule{Fields: []string{""}, Unit: "h"}, nil); err == nil {
		t.Errorf("accepted as %s", c.Name())
	}
}

// check holds an answer against milliseconds or a status.
func check(t testing.TB, c codecs.Codec, value []byte, want any) {
	t.Helper()
	m := &codecs.Message{Value: slices.Clip(value)} // reading beyond the end panics
	ms, s := c.EventTime(m)
	got := any(s)
	if s == codecs.Found {
		got = int(ms)
	}
	if got != want {
		t.Errorf("%s reads %x as %s %d, want %v", c.Name(), value[:min(len(value), 80)], s, ms, want)
	}
	if n := testing.AllocsPerRun(10, func() { c.EventTime(m) }); n != 0 {
		t.Errorf("%s of %x costs %v allocations", c.Name(), value[:min(len(value), 80)], n)
	}
}

func mustBuild(t testing.TB, r codecs.Rule) codecs.Codec {
	t.Helper()
	c, err := cbor.Builder.Build(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
