package msgpack_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/msgpack"
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

func TestMessagePack(t *testing.T) {
	const ts = "a27473"
	for _, tc := range []struct {
		name, value string
		want        any
		rule        codecs.Rule
	}{
		{name: "no value", value: "", want: codecs.None},
		{name: "an empty map", value: "80", want: codecs.None},
		{name: "another field", value: "81 a161 01", want: codecs.None},
		{name: "something behind a map without time", value: "80 00", want: codecs.Malformed},
		{name: "something behind one with it", value: "81" + ts + "01 ff", want: 1000},
		{name: "a map that is cut behind it", value: "82" + ts + "01", want: 1000},
		{name: "and before it", value: "82 a161 01", want: codecs.Malformed},
		{name: "nil goes on", value: "82" + ts + "c0 a9 74696d657374616d70 02", want: 2000},
		{name: "the first in document order", value: "82 a9 74696d657374616d70 02" + ts + "01", want: 2000},
		{name: "the first of twins", value: "82" + ts + "01" + ts + "02", want: 1000},
		{name: "any case", value: "81 a25453 01", want: 1000},
		{name: "keys that are no strings", value: "85 01 01 c0 01 9101 01 81" + ts + "01 01" + ts + "03", want: 3000},
		{name: "a key that is a binary", value: "81 c402 7473 01", want: codecs.None},
		{name: "a long key", value: "82 da0040" + strings.Repeat("74", 64) + "01" + ts + "01", want: 1000},
		{name: "an array as document", value: "91" + ts, want: codecs.Malformed},
		{name: "a number as document", value: "01", want: codecs.Malformed},
		{name: "true", value: "81" + ts + "c3", want: codecs.Malformed},
		{name: "a binary", value: "81" + ts + "c401 31", want: codecs.Malformed},
		{name: "an array", value: "81" + ts + "9101", want: codecs.Malformed},
		{name: "a map", value: "81" + ts + "8101 01", want: codecs.Malformed},
		{name: "what is never used", value: "81" + ts + "c1", want: codecs.Malformed},
		{name: "another extension", value: "81" + ts + "d605 00000001", want: codecs.Malformed},
		{name: "a timestamp of no length", value: "81" + ts + "c705 ff 0000000001", want: codecs.Malformed},
		{name: "a timestamp of 32 bits with its length", value: "81" + ts + "c704 ff 00000001", want: 1000},
		{name: "one with a long length", value: "81" + ts + "c900000004 ff 00000001", want: 1000},
		{name: "a timestamp with nanoseconds of a second", value: "81" + ts + "d7ff ee6b2800 00000000", want: codecs.Malformed},
		{name: "one of 96 bits", value: "81" + ts + "c70cff 3b9aca00 0000000000000000", want: codecs.Malformed},
		{name: "one that overflows", value: "81" + ts + "c70cff 00000000 7fffffffffffffff", want: codecs.Malformed},
		{name: "one that is cut", value: "81" + ts + "d6ff 000000", want: codecs.Malformed},
		{name: "a text that is no time", value: "81" + ts + "a179", want: codecs.Malformed},
		{name: "a text that is cut", value: "81" + ts + "a231", want: codecs.Malformed},
		{name: "an integer that is cut", value: "81" + ts + "cf00000000000000", want: codecs.Malformed},
		{name: "the largest integer", value: "81" + ts + "cfffffffffffffffff", want: 18446744073709},
		{name: "the smallest integer", value: "81" + ts + "d38000000000000000", want: -9223372036855},
		{name: "a binary of 32 bits", value: "82 a161 c600010000" + strings.Repeat("c1", 1<<16) + ts + "01", want: 1000},
		{name: "a text of 32 bits", value: "82 a161 db00010000" + strings.Repeat("c1", 1<<16) + ts + "01", want: 1000},
		{name: "an extension of 32 bits", value: "82 a161 c900010000 05" + strings.Repeat("c1", 1<<16) + ts + "01", want: 1000},
		{name: "an array of 32 bits", value: "82 a161 dd00010000" + strings.Repeat("c0", 1<<16) + ts + "01", want: 1000},
		{name: "a map of 32 bits", value: "82 a161 df00010000" + strings.Repeat("c0", 2<<16) + ts + "01", want: 1000},
		{name: "the map itself of 32 bits", value: "df00000001" + ts + "01", want: 1000},
		{name: "a million levels", value: "82 a161" + strings.Repeat("91", 1e6) + "00" + ts + "01", want: 1000},
		{name: "a million levels that are cut", value: "82 a161" + strings.Repeat("91", 1e6), want: codecs.Malformed},
		{name: "an array that lies", value: "82 a161 ddffffffff" + ts + "01", want: codecs.Malformed},
		{name: "maps that lie", value: "82 a161" + strings.Repeat("dfffffffff", 1000), want: codecs.Malformed},
		{name: "a map that lies itself", value: "dfffffffff" + strings.Repeat("0000", 1000), want: codecs.Malformed},
		{name: "a length that lies", value: "82 a161 dbffffffff" + ts + "01", want: codecs.Malformed},

		{name: "a path", value: "82 a161 82 a163 02 a162 07" + ts + "01", want: 7000, rule: codecs.Rule{Fields: []string{"a.b"}}},
		{name: "a path that does not end", value: "82 a161 81 a163 02 a162 03", want: 3000, rule: codecs.Rule{Fields: []string{"a.b", "b"}}},
		{name: "a path through a number", value: "82 a161 02 a162 03", want: 3000, rule: codecs.Rule{Fields: []string{"a.b", "b"}}},
		{name: "a path through an array", value: "82 a161 9181a16202 a162 03", want: 3000, rule: codecs.Rule{Fields: []string{"a.b", "b"}}},
		{name: "a path that is a time as well", value: "81 a161 02", want: 2000, rule: codecs.Rule{Fields: []string{"a.b", "a"}}},
		{name: "empty maps on the path", value: "82 a161 81 a162 80 a161 81a16281a16305", want: 5000, rule: codecs.Rule{Fields: []string{"a.b.c"}}},
		{name: "unit", value: "81" + ts + "01", want: 1, rule: codecs.Rule{Unit: "ms"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			check(t, mustBuild(t, tc.rule), mustHex(t, strings.ReplaceAll(tc.value, " ", "")), tc.want)
		})
	}
}

func TestTheNameHoldsTheSettings(t *testing.T) {
	for want, rule := range map[string]codecs.Rule{
		"msgpack":                                  {},
		"msgpack(fields=a.b|c,any-case)":           {Fields: []string{"C", "a.B"}, AnyCase: true},
		`msgpack(unit=us,layouts="02.01.06 15:4")`: {Unit: "us", Layouts: []string{"02.01.06 15:4"}},
	} {
		if got := mustBuild(t, rule).Name(); got != want {
			t.Errorf("%+v has name %s, want %s", rule, got, want)
		}
	}
	if c, err := msgpack.Builder.Build(codecs.Rule{Fields: []string{""}, Unit: "h"}, nil); err == nil {
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
	c, err := msgpack.Builder.Build(r, nil)
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
