package codecs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/chaperone-audit/chaperone/codecs"
)

var statuses = map[codecs.Status]string{codecs.Found: "found", codecs.None: "none", codecs.Malformed: "malformed"}

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
		{name: "the largest number that fits", doc: `{"ts":9223372036854775807}`, want: 9223372036854775807},
		{name: "one above it", doc: `{"ts":9223372036854775808}`, want: codecs.Malformed},
		{name: "the smallest number that fits", doc: `{"ts":-9223372036854775808}`, want: -9223372036854775808},
		{name: "one below it", doc: `{"ts":-9223372036854775809}`, want: codecs.Malformed},
		{name: "20 digits", doc: `{"ts":18446744073709551616}`, want: codecs.Malformed},

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
		{name: "no comma", doc: `{"a":1 "ts":2}`, want: codecs.Malformed},
		{name: "a comma too many", doc: `{"a":1,}`, want: codecs.Malformed},
		{name: "no colon", doc: `{"a" 1,"ts":2}`, want: codecs.Malformed},
		{name: "a name without quotes", doc: `{a:1,"ts":2}`, want: codecs.Malformed},
		{name: "a misspelt literal", doc: `{"a":True,"ts":2}`, want: codecs.Malformed},
		{name: "a leading zero", doc: `{"a":01,"ts":2}`, want: codecs.Malformed},
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
				t.Errorf("%s gives %s %d, want %v", clip(tc.doc), statuses[s], ms, tc.want)
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
				t.Fatalf("byte %#x at %d: %s, time %d", c, at, statuses[s], ms)
			}
		}
	}
}

func TestJSONNeverReadsATimeFromACutNumber(t *testing.T) {
	doc := `{"a":{"b":[1,"x\"y"]},"ts":1795285200123}`
	c := mustJSON(t, codecs.Rule{})
	for n := 1; n < len(doc)-1; n++ {
		if ms, s := c.EventTime(&codecs.Message{Value: []byte(doc)[:n:n]}); s != codecs.Malformed {
			t.Errorf("%s gives %s %d, want malformed", doc[:n], statuses[s], ms)
		}
	}
}

func TestJSONAgreesWithAFullDecode(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	seen := map[codecs.Status]int{}
	for range 20000 {
		doc := randomObject(rnd, 0)
		if !json.Valid(doc) {
			t.Fatalf("the generator made %s", doc)
		}
		for _, rule := range variants {
			want, ws := reference(doc, rule)
			got, s := mustJSON(t, rule).EventTime(&codecs.Message{Value: doc})
			if s != ws || s == codecs.Found && got != want {
				t.Fatalf("%s with %+v gives %s %d, want %s %d", doc, rule, statuses[s], got, statuses[ws], want)
			}
			seen[s]++
		}
	}
	for s, name := range statuses {
		if seen[s] < 1000 {
			t.Errorf("only %d answers are %s: the generator is too narrow", seen[s], name)
		}
	}
}

func FuzzJSON(f *testing.F) {
	for _, d := range documents {
		f.Add(d)
	}
	for _, d := range []string{
		`{"ts":1}`, `{"a":[{"\"":"\\"}],"t\u0073":"2026-11-21T20:20:00.123\u002b02:00"}`, `{"ts":-12.5e-3 }`, `{"TIMESTAMP":null,"ts":"1E9"}`,
		`{"\ud83d\ude00\ud800":1}`, `[`, `{"a":tru`, `{"ts":"`, `{"\`, "{\"a\":\"\x00\"}",
	} {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		valid := json.Valid(doc)
		doc = slices.Clip(doc) // reading beyond the end panics
		for _, rule := range variants {
			got, s := mustJSON(t, rule).EventTime(&codecs.Message{Value: doc})
			switch {
			case len(doc) == 0:
				if s != codecs.None {
					t.Errorf("nothing gives %s", statuses[s])
				}
			case valid && !(rule.Strict && deep(doc)):
				want, ws := reference(doc, rule)
				if s != ws || s == codecs.Found && got != want {
					t.Errorf("%q with %+v gives %s %d, want %s %d", doc, rule, statuses[s], got, statuses[ws], want)
				}
			case rule.Strict && s != codecs.Malformed:
				t.Errorf("%q is broken and gives %s %d", doc, statuses[s], got)
			}
		}
	})
}

var variants = []codecs.Rule{
	{}, {Strict: true}, {Unit: "ms"}, {Unit: "ns"}, {Fields: []string{"a", "tS"}}, {Fields: []string{"tS", "é"}, AnyCase: true, Unit: "us"},
}

// reference is what the documentation of JSON says, by means of encoding/json
// and big numbers, for valid JSON.
func reference(doc []byte, rule codecs.Rule) (int64, codecs.Status) {
	fields, anyCase := rule.Fields, rule.AnyCase
	if len(fields) == 0 {
		fields, anyCase = []string{"ts", "timestamp"}, true
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return 0, codecs.Malformed
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			panic(err)
		}
		var v any
		if err := d.Decode(&v); err != nil && err != io.EOF {
			panic(err)
		}
		match := slices.ContainsFunc(fields, func(f string) bool {
			return f == k || anyCase && asciiLower(f) == asciiLower(k.(string))
		})
		if !match || v == nil {
			continue
		}
		switch v := v.(type) {
		case json.Number:
			return referenceNumber(string(v), rule.Unit)
		case string:
			if len(v) > 63 {
				return 0, codecs.Malformed
			}
			if ms, ok := referenceRFC3339(v); ok {
				return ms, codecs.Found
			}
			if jsonNumber.MatchString(v) {
				return referenceNumber(v, rule.Unit)
			}
		}
		return 0, codecs.Malformed
	}
	return 0, codecs.None
}

var jsonNumber = regexp.MustCompile(`\A-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\z`)

func referenceNumber(s, unit string) (int64, codecs.Status) {
	// Keep big.Rat from writing out the digits of 1e999999.
	if mantissa, e, ok := strings.Cut(strings.ToLower(s), "e"); ok {
		e := strings.TrimLeft(strings.TrimLeft(e, "+-"), "0")
		switch {
		case strings.Trim(mantissa, "-0.") == "":
			return 0, codecs.Found
		case len(e) > 4 && strings.Contains(strings.ToLower(s), "e-"):
			if strings.HasPrefix(s, "-") {
				return -1, codecs.Found
			}
			return 0, codecs.Found
		case len(e) > 4:
			return 0, codecs.Malformed
		}
	}
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic(s)
	}
	if unit == "" {
		unit = "s"
		if new(big.Rat).Abs(r).Cmp(big.NewRat(999_999_999_999, 1)) > 0 {
			unit = "ms"
		}
	}
	r.Mul(r, map[string]*big.Rat{"s": big.NewRat(1000, 1), "ms": big.NewRat(1, 1), "us": big.NewRat(1, 1000), "ns": big.NewRat(1, 1e6)}[unit])
	ms := new(big.Int).Div(r.Num(), r.Denom()) // the denominator is positive, so this is the floor
	if !ms.IsInt64() {
		return 0, codecs.Malformed
	}
	return ms.Int64(), codecs.Found
}

var rfc3339 = regexp.MustCompile(`\A\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[-+]([01]\d|2[0-3]):[0-5]\d)\z`)

// referenceRFC3339 is time.Parse, without what that accepts beyond the RFC.
func referenceRFC3339(s string) (int64, bool) {
	if !rfc3339.MatchString(s) {
		return 0, false
	}
	b := []byte(strings.ToUpper(s))
	b[len("2006-01-02")] = 'T'
	t, err := time.Parse(time.RFC3339, string(b))
	return t.UnixMilli(), err == nil
}

func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return rune(strings.ToLower(string(r))[0])
		}
		return r
	}, s)
}

// deep says whether a document nests deeper than strict allows.
func deep(doc []byte) bool {
	d := json.NewDecoder(bytes.NewReader(doc))
	for depth := 0; ; {
		t, err := d.Token()
		if err != nil {
			return false
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > 300 {
				return true
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

func randomObject(rnd *rand.Rand, depth int) []byte {
	b := []byte("{")
	for i := range rnd.IntN(7) {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, "%s%s%s:%s%s%s", space(rnd), randomString(rnd), space(rnd), space(rnd), randomValue(rnd, depth), space(rnd))
	}
	return append(b, '}')
}

func randomValue(rnd *rand.Rand, depth int) []byte {
	if depth < 4 {
		switch rnd.IntN(8) {
		case 0:
			return randomObject(rnd, depth+1)
		case 1:
			b := []byte("[")
			for i := range rnd.IntN(4) {
				if i > 0 {
					b = append(b, ',')
				}
				b = append(append(b, space(rnd)...), randomValue(rnd, depth+1)...)
			}
			return append(b, ']')
		}
	}
	switch rnd.IntN(6) {
	case 0:
		return []byte([]string{"null", "true", "false"}[rnd.IntN(3)])
	case 1:
		return randomString(rnd)
	case 2:
		t := time.UnixMilli(rnd.Int64N(4e12)).In(time.FixedZone("", 60*(rnd.IntN(1440)-720)))
		s, _ := json.Marshal(t.Format(time.RFC3339Nano))
		return bytes.Replace(s, []byte("+"), []byte([]string{"+", `\u002b`, `\u002B`}[rnd.IntN(3)]), 1)
	case 3:
		return fmt.Appendf(nil, "%q", randomNumber(rnd))
	}
	return randomNumber(rnd)
}

func randomNumber(rnd *rand.Rand) []byte {
	var b []byte
	if rnd.IntN(8) == 0 {
		b = append(b, '-')
	}
	digits := func(n int) {
		for range n {
			b = append(b, '0'+byte(rnd.IntN(10)))
		}
	}
	if rnd.IntN(8) == 0 {
		b = append(b, '0')
	} else {
		b = append(b, '1'+byte(rnd.IntN(9)))
		digits(rnd.IntN(22))
	}
	if rnd.IntN(3) == 0 {
		b = append(b, '.')
		digits(1 + rnd.IntN(22))
	}
	if rnd.IntN(4) == 0 {
		b = fmt.Appendf(b, "%s%d", []string{"e", "E", "e+", "E-", "e-"}[rnd.IntN(5)], rnd.IntN(30))
	}
	return b
}

func randomString(rnd *rand.Rand) []byte {
	if rnd.IntN(2) == 0 {
		return []byte([]string{`"ts"`, `"TS"`, `"tS"`, `"timestamp"`, `"t\u0073"`, `"a"`, `"\u00e9"`, `"é"`, `""`}[rnd.IntN(9)])
	}
	b := []byte{'"'}
	for range rnd.IntN(20) {
		b = append(b, []string{`x`, `{`, `}`, `[`, `]`, `,`, `:`, `\"`, `\\`, `\/`, `\n`, `\u0022`, `\ud83d\ude00`, `€`, `ts`}[rnd.IntN(15)]...)
	}
	return append(b, '"')
}

func space(rnd *rand.Rand) []byte {
	if rnd.IntN(3) > 0 {
		return nil
	}
	return []byte(" \t\r\n")[rnd.IntN(4):]
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
