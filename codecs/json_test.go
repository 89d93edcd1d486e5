package codecs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
)

func TestJSON(t *testing.T) {
	const ms = 1795285200123
	long := strings.Repeat("0123456789", 20)
	for _, tc := range []struct {
		name, doc string
		want      any // milliseconds, or a status that is not found
		rule      codecs.Rule
	}{
		{name: "milliseconds", doc: `{"ts":1795285200123}`, want: ms},
		{name: "seconds", doc: `{"ts":1795285200}`, want: 1795285200000},
		{name: "the largest seconds", doc: `{"ts":999999999999}`, want: 999999999999000},
		{name: "the smallest milliseconds", doc: `{"ts":1000000000000}`, want: 1000000000000},
		{name: "a fraction beyond the largest seconds is milliseconds", doc: `{"ts":999999999999.5}`, want: 999999999999},
		{name: "magnitude tells negative units apart too", doc: `{"ts":-1000000000000}`, want: -1000000000000},
		{name: "zero is a time", doc: `{"ts":0}`, want: 0},
		{name: "so is minus zero", doc: `{"ts":-0}`, want: 0},
		{name: "negative seconds", doc: `{"ts":-1}`, want: -1000},
		{name: "parts of a millisecond are cut off", doc: `{"ts":1795285200.1239}`, want: ms},
		{name: "towards the past", doc: `{"ts":-0.0001}`, want: -1},
		{name: "exponent form as Java writes it", doc: `{"ts":1.7952852E9}`, want: 1795285200000},
		{name: "exponent form, milliseconds", doc: `{"ts":17952852001230e-1}`, want: ms},
		{name: "many digits", doc: `{"ts":1795285200.123` + long + `}`, want: ms},
		{name: "digits that an exponent takes back", doc: `{"ts":1795285200123` + strings.Repeat("0", 90) + `e-90}`, want: ms},
		{name: "a zero with a huge exponent", doc: `{"ts":0e999999999999999999999}`, want: 0},
		{name: "next to nothing", doc: `{"ts":1e-999999999999999999999}`, want: 0},
		{name: "too large", doc: `{"ts":1e999}`, want: codecs.Malformed},
		{name: "the largest milliseconds", doc: `{"ts":999999999999999}`, want: 999999999999999},
		{name: "the smallest microseconds", doc: `{"ts":1000000000000000}`, want: 1000000000000},
		{name: "a fraction beyond the largest milliseconds is microseconds", doc: `{"ts":999999999999999.5}`, want: 999999999999},
		{name: "microseconds", doc: `{"ts":1795285200123999}`, want: ms},
		{name: "the largest microseconds", doc: `{"ts":999999999999999999}`, want: 999999999999999},
		{name: "the smallest nanoseconds", doc: `{"ts":1000000000000000000}`, want: 1000000000000},
		{name: "nanoseconds", doc: `{"ts":1795285200123999999}`, want: ms},
		{name: "nanoseconds before 1970", doc: `{"ts":-1795285200122000001}`, want: -ms},
		{name: "nanoseconds that no integer holds", doc: `{"ts":18446744073709551616}`, want: 18446744073709},
		{name: "the largest number that fits", doc: `{"ts":9223372036854775807}`, want: 9223372036854775807, rule: codecs.Rule{Unit: "ms"}},
		{name: "one above it", doc: `{"ts":9223372036854775808}`, want: codecs.Malformed, rule: codecs.Rule{Unit: "ms"}},
		{name: "the smallest number that fits", doc: `{"ts":-9223372036854775808}`, want: -9223372036854775808, rule: codecs.Rule{Unit: "ms"}},
		{name: "one below it", doc: `{"ts":-9223372036854775809}`, want: codecs.Malformed, rule: codecs.Rule{Unit: "ms"}},
		{name: "20 digits", doc: `{"ts":18446744073709551616}`, want: codecs.Malformed, rule: codecs.Rule{Unit: "ms"}},

		{name: "RFC 3339", doc: `{"ts":"2026-11-21T18:20:00.123Z"}`, want: ms},
		{name: "RFC 3339 with a zone", doc: `{"ts":"2026-11-21T20:20:00.123+02:00"}`, want: ms},
		{name: "RFC 3339 with an escaped zone", doc: `{"ts":"2026-11-21T20:20:00.123\u002b02:00"}`, want: ms},
		{name: "RFC 3339 with nanoseconds", doc: `{"ts":"2026-11-21T18:20:00.123999999Z"}`, want: ms},
		{name: "RFC 3339 before 1970 goes to the past as well", doc: `{"ts":"1969-12-31T23:59:59.9999Z"}`, want: -1},
		{name: "a quoted number", doc: `{"ts":"1795285200123"}`, want: ms},
		{name: "a quoted number in exponent form", doc: `{"ts":"1.7952852E9"}`, want: 1795285200000},
		{name: "a quoted number with a negative exponent", doc: `{"ts":"1795e-3"}`, want: 1795},
		{name: "a quoted escaped number", doc: `{"ts":"\u0031"}`, want: 1000},
		{name: "a quoted number with a sign that JSON lacks", doc: `{"ts":"+1"}`, want: codecs.Malformed},
		{name: "a quoted number and more", doc: `{"ts":"1 "}`, want: codecs.Malformed},
		{name: "a time without zone", doc: `{"ts":"2026-11-21T18:20:00"}`, want: codecs.Malformed},
		{name: "a string that is no time", doc: `{"ts":"yesterday"}`, want: codecs.Malformed},
		{name: "an empty string", doc: `{"ts":""}`, want: codecs.Malformed},
		{name: "a string too long for a time", doc: `{"ts":"` + strings.Repeat("0", 63) + `1.` + long + `"}`, want: codecs.Malformed},
		{name: "a broken escape in the time", doc: `{"ts":"\x31"}`, want: codecs.Malformed},
		{name: "true", doc: `{"ts":true}`, want: codecs.Malformed},
		{name: "an object", doc: `{"ts":{"ts":1}}`, want: codecs.Malformed},
		{name: "an array", doc: `{"ts":[1]}`, want: codecs.Malformed},

		{name: "timestamp", doc: `{"timestamp":1}`, want: 1000},
		{name: "any case", doc: `{"a":1,"TimeStamp":1}`, want: 1000},
		{name: "any case, short", doc: `{"tS":1}`, want: 1000},
		{name: "the first in document order", doc: `{"timestamp":1,"ts":2}`, want: 1000},
		{name: "the first of twins", doc: `{"ts":2,"ts":1}`, want: 2000},
		{name: "null goes on", doc: `{"ts":null,"timestamp":2}`, want: 2000},
		{name: "null alone", doc: `{"ts":null}`, want: codecs.None},
		{name: "what begins like null", doc: `{"ts":nil}`, want: codecs.Malformed},
		{name: "an escaped name", doc: `{"\u0074s":1}`, want: 1000},
		{name: "a nested name does not count", doc: `{"a":{"ts":1},"b":[{"ts":2}],"ts":3}`, want: 3000},
		{name: "nor a name in a string", doc: `{"a":"\"ts\":1","b":"{\\","ts":3}`, want: 3000},
		{name: "brackets in strings", doc: `{"a":["]","}",{"\"}]":"\\"}],"ts":3}`, want: 3000},
		{name: "longer names", doc: `{"tsx":1,"xts":2,"timestamps":3,"t":4}`, want: codecs.None},
		{name: "a letter that only Unicode folds", doc: `{"tſ":1}`, want: codecs.None},
		{name: "white space everywhere", doc: " \r\n\t{ \"a\" : [ 1 , 2 ] ,\n\t\"ts\" : 3 }\n", want: 3000},
		{name: "all kinds of values on the way", doc: `{"a":-1.5e+3,"b":true,"c":false,"d":null,"e":"","f":{},"g":[],"h":0,"ts":3}`, want: 3000},

		{name: "a nested field", doc: `{"a":1,"meta":{"x":[1],"ts":2}}`, want: 2000, rule: codecs.Rule{Fields: []string{"meta.ts"}}},
		{name: "three levels down", doc: ` { "a" : { "b" : { } , "c":{"d":"2026-11-21T18:20:00.123Z"} } } `, want: ms, rule: codecs.Rule{Fields: []string{"a.b.x", "a.c.d"}}},
		{name: "not behind an object that lacks it", doc: `{"meta":{"x":1},"ts":2}`, want: codecs.None, rule: codecs.Rule{Fields: []string{"meta.ts"}}},
		{name: "or behind it, if that is a field too", doc: `{"meta":{"x":1},"ts":2}`, want: 2000, rule: codecs.Rule{Fields: []string{"meta.ts", "ts"}}},
		{name: "the first in document order, on whatever level", doc: `{"meta":{"ts":1},"ts":2}`, want: 1000, rule: codecs.Rule{Fields: []string{"ts", "meta.ts"}}},
		{name: "a nested null goes on", doc: `{"meta":{"ts":null},"ts":2}`, want: 2000, rule: codecs.Rule{Fields: []string{"ts", "meta.ts"}}},
		{name: "a path through what is no object", doc: `{"meta":[{"ts":1}],"meta":7,"meta":null,"meta":{"ts":2}}`, want: 2000, rule: codecs.Rule{Fields: []string{"meta.ts"}}},
		{name: "a field that is a time here and an object there", doc: `{"at":{"ts":3}}`, want: 3000, rule: codecs.Rule{Fields: []string{"at", "at.ts"}}},
		{name: "and the time", doc: `{"at":4}`, want: 4000, rule: codecs.Rule{Fields: []string{"at", "at.ts"}}},
		{name: "an object where only a time is looked for", doc: `{"at":{"ts":3}}`, want: codecs.Malformed, rule: codecs.Rule{Fields: []string{"at"}}},
		{name: "a dot in a name", doc: `{"a":{"b":1},"a.b":2}`, want: 2000, rule: codecs.Rule{Fields: []string{`a\.b`}}},
		{name: "a nested object that is cut", doc: `{"meta":{"x":1`, want: codecs.Malformed, rule: codecs.Rule{Fields: []string{"meta.ts"}}},
		{name: "an outer object that is cut", doc: `{"meta":{"x":1}`, want: codecs.Malformed, rule: codecs.Rule{Fields: []string{"meta.ts"}}},
		{name: "no comma in a nested object", doc: `{"meta":{"x":1 "ts":2}}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true, Fields: []string{"meta.ts"}}},
		{name: "a comma at the end of it", doc: `{"meta":{"x":1,}}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true, Fields: []string{"meta.ts"}}},

		{name: "a layout", doc: `{"ts":"2026-11-21 18:20:00.123"}`, want: ms, rule: codecs.Rule{Layouts: []string{"2006-01-02 15:04:05.999"}}},
		{name: "a layout with a zone of its own", doc: `{"ts":"21/Nov/2026:20:20:00 +0200"}`, want: ms - 123, rule: codecs.Rule{Layouts: []string{"02/Jan/2006:15:04:05 -0700"}}},
		{name: "a zone for those that have none", doc: `{"ts":"2026-11-21 20:20:00"}`, want: ms - 123, rule: codecs.Rule{Layouts: []string{time.DateTime}, Zone: "+02:00"}},
		{name: "which RFC 3339 does not need", doc: `{"ts":"2026-11-21T18:20:00Z"}`, want: ms - 123, rule: codecs.Rule{Layouts: []string{time.DateTime}, Zone: "+02:00"}},
		{name: "a number beside a layout", doc: `{"ts":"1795285200123"}`, want: ms, rule: codecs.Rule{Layouts: []string{time.DateTime}}},
		{name: "a layout of digits goes before a number", doc: `{"ts":"20261121182000"}`, want: ms - 123, rule: codecs.Rule{Layouts: []string{"20060102150405"}}},

		{name: "a schema's number before the document", doc: "\x00\x00\x00\x00\x07{\"ts\":1}", want: 1000},
		{name: "and no document", doc: "\x00\x00\x00\x00\x07", want: codecs.Malformed},
		{name: "a tombstone", doc: "", want: codecs.None},
		{name: "an empty object", doc: ` { } `, want: codecs.None},
		{name: "plain text", doc: "hello", want: codecs.Malformed},
		{name: "an array as document", doc: `[{"ts":1}]`, want: codecs.Malformed},
		{name: "a number as document", doc: `1795285200`, want: codecs.Malformed},
		{name: "null as document", doc: `null`, want: codecs.Malformed},
		{name: "white space only", doc: ` `, want: codecs.Malformed},
		{name: "two documents", doc: `{} {}`, want: codecs.Malformed},
		{name: "a number that is cut", doc: `{"ts":17952`, want: codecs.Malformed},
		{name: "a number and garbage", doc: `{"ts":17952x}`, want: codecs.Malformed},
		{name: "a string and garbage", doc: `{"ts":"1"2}`, want: codecs.Malformed},
		{name: "no comma", doc: `{"a":1 "ts":2}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "a comma too many", doc: `{"a":1,}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "no colon", doc: `{"a" 1,"ts":2}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "a name without quotes", doc: `{a:1,"ts":2}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "a misspelt literal", doc: `{"a":True,"ts":2}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "a leading zero", doc: `{"a":01,"ts":2}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "a leading zero in the time", doc: `{"ts":01}`, want: codecs.Malformed},
		{name: "no digit behind the point", doc: `{"ts":1.}`, want: codecs.Malformed},
		{name: "an open string", doc: `{"a":"\\\"`, want: codecs.Malformed},
		{name: "an open array", doc: `{"a":[[1]`, want: codecs.Malformed},

		{name: "another field", doc: `{"ts":1,"eventTime":2}`, want: 2000, rule: codecs.Rule{Fields: []string{"eventTime"}}},
		{name: "exactly", doc: `{"EventTime":1}`, want: codecs.None, rule: codecs.Rule{Fields: []string{"eventTime"}}},
		{name: "or in any case", doc: `{"EVENTTIME":1}`, want: 1000, rule: codecs.Rule{Fields: []string{"eventTime"}, AnyCase: true}},
		{name: "several fields in document order", doc: `{"b":1,"a":2}`, want: 1000, rule: codecs.Rule{Fields: []string{"a", "b"}}},
		{name: "a field that is not ASCII", doc: `{"ze\u0069t\u20ac":1}`, want: 1000, rule: codecs.Rule{Fields: []string{"zeit€"}}},
		{name: "a field that needs a surrogate pair", doc: `{"\ud83d\ude00":1}`, want: 1000, rule: codecs.Rule{Fields: []string{"😀"}}},
		{name: "unit s", doc: `{"ts":1795285200123}`, want: 1795285200123000, rule: codecs.Rule{Unit: "s"}},
		{name: "unit ms", doc: `{"ts":12}`, want: 12, rule: codecs.Rule{Unit: "ms"}},
		{name: "unit us", doc: `{"ts":-1}`, want: -1, rule: codecs.Rule{Unit: "us"}},
		{name: "unit ns", doc: `{"ts":1795285200123999999}`, want: ms, rule: codecs.Rule{Unit: "ns"}},
		{name: "unit ns, quoted", doc: `{"ts":"1795285200123999999"}`, want: ms, rule: codecs.Rule{Unit: "ns"}},

		{name: "what is broken before the time is not seen", doc: `{a:01 "b" True,"ts":1}`, want: 1000},
		{name: "what is broken behind the time is not seen", doc: `{"ts":1,oops`, want: 1000},
		{name: "unless strict", doc: `{"ts":1,oops`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "nor what is broken inside a value", doc: `{"a":[oops}],"ts":1}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "nor a control character in a string", doc: "{\"\x0e\\b\":0,\"ts\":1}", want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "strict and misspelt", doc: `{"ts":1,"a":[nul]}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "strict and sound", doc: `{"a":[{}],"ts":1}`, want: 1000, rule: codecs.Rule{Strict: true}},
		{name: "strict and deep", doc: `{"a":` + strings.Repeat("[", 299) + strings.Repeat("]", 299) + `,"ts":1}`, want: 1000, rule: codecs.Rule{Strict: true}},
		{name: "strict and too deep", doc: `{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + `,"ts":1}`, want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "a million levels", doc: `{"a":` + strings.Repeat("[", 1e6), want: codecs.Malformed, rule: codecs.Rule{Strict: true}},
		{name: "a million levels, passed by", doc: `{"a":` + strings.Repeat("[", 1e6) + strings.Repeat("]", 1e6) + `,"ts":1}`, want: 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := mustJSON(t, tc.rule)
			m := &codecs.Message{Value: []byte(tc.doc)}
			ms, s := c.EventTime(m)
			got := any(s)
			if s == codecs.Found {
				got = int(ms)
			}
			if got != tc.want {
				t.Errorf("%s gives %s %d, want %v", clip(tc.doc), s, ms, tc.want)
			}
			if s == codecs.Malformed && tc.rule.Strict {
				return // the validator says why, and so allocates
			}
			if n := testing.AllocsPerRun(10, func() { c.EventTime(m) }); n != 0 {
				t.Errorf("%s costs %v allocations", clip(tc.doc), n)
			}
		})
	}
}

func TestJSONNameHoldsTheSettings(t *testing.T) {
	for _, tc := range []struct {
		want string
		rule codecs.Rule
	}{
		{"json", codecs.Rule{}},
		{"json(strict)", codecs.Rule{Strict: true}},
		{"json(unit=us)", codecs.Rule{Unit: "us"}},
		{"json(fields=a|b_c)", codecs.Rule{Fields: []string{"b_c", "a", "a"}}},
		{"json(fields=a|b,any-case,unit=ms,strict)", codecs.Rule{Fields: []string{"B", "a"}, AnyCase: true, Unit: "ms", Strict: true}},
		{`json(fields="a|b"|"c,d")`, codecs.Rule{Fields: []string{"c,d", "a|b"}}},
	} {
		if got := mustJSON(t, tc.rule).Name(); got != tc.want {
			t.Errorf("%+v has name %s, want %s", tc.rule, got, tc.want)
		}
	}
}

// A cut document must never be taken for a whole one, wherever it is cut.
func TestNoByteButADigitIsTakenForOne(t *testing.T) {
	codec, err := codecs.JSON(codecs.Rule{})
	if err != nil {
		t.Fatal(err)
	}
	for c := 0x80; c < 0x100; c++ {
		for at := range 12 {
			digits := []byte("179000000012")
			digits[at] = byte(c)
			doc := fmt.Appendf(nil, `{"ts":%s, "more": "0123456789"}`, digits)
			if ms, s := codec.EventTime(&codecs.Message{Value: doc}); s != codecs.Malformed {
				t.Fatalf("byte %#x at %d: %s, time %d", c, at, s, ms)
			}
		}
	}
}

func TestJSONNeverReadsATimeFromACutNumber(t *testing.T) {
	doc := `{"a":{"b":[1,"x\"y"]},"ts":1795285200123}`
	c := mustJSON(t, codecs.Rule{})
	for n := 1; n < len(doc)-1; n++ {
		if ms, s := c.EventTime(&codecs.Message{Value: []byte(doc)[:n:n]}); s != codecs.Malformed {
			t.Errorf("%s gives %s %d, want malformed", doc[:n], s, ms)
		}
	}
}

func mustJSON(t testing.TB, rule codecs.Rule) codecs.Codec {
	t.Helper()
	c, err := codecs.JSON(rule)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func clip(s string) string { return s[:min(len(s), 80)] }
