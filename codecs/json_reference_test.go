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
				t.Fatalf("%s with %+v gives %s %d, want %s %d", doc, rule, s, got, ws, want)
			}
			seen[s]++
		}
	}
	for _, s := range []codecs.Status{codecs.Found, codecs.None, codecs.Malformed} {
		if seen[s] < 1000 {
			t.Errorf("only %d answers are %s: the generator is too narrow", seen[s], s)
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
	var all []codecs.Codec
	for _, rule := range variants {
		all = append(all, mustJSON(f, rule))
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		message = slices.Clip(message) // reading beyond the end panics
		doc := message
		if len(doc) > 5 && doc[0] == 0 {
			doc = doc[5:] // behind the number of a schema
		}
		valid := json.Valid(doc)
		for i, rule := range variants {
			got, s := all[i].EventTime(&codecs.Message{Value: message})
			switch {
			case len(message) == 0:
				if s != codecs.None {
					t.Errorf("nothing gives %s", s)
				}
			case valid && !(rule.Strict && deep(doc)):
				want, ws := reference(doc, rule)
				if s != ws || s == codecs.Found && got != want {
					t.Errorf("%q with %+v gives %s %d, want %s %d", doc, rule, s, got, ws, want)
				}
			case rule.Strict && s != codecs.Malformed:
				t.Errorf("%q is broken and gives %s %d", doc, s, got)
			}
		}
	})
}

var variants = []codecs.Rule{
	{}, {Strict: true}, {Unit: "ms"}, {Unit: "ns"}, {Fields: []string{"a", "tS"}}, {Fields: []string{"tS", "é"}, AnyCase: true, Unit: "us"},
	{Fields: []string{"a.ts", "é.a.a", "ts"}}, {Fields: []string{"a", "a.A.ts", "ts.a"}, AnyCase: true},
}

// reference is what the documentation of JSON says, by means of encoding/json
// and big numbers, for valid JSON.
func reference(doc []byte, rule codecs.Rule) (int64, codecs.Status) {
	if doc = bytes.TrimLeft(doc, " \t\r\n"); doc[0] != '{' {
		return 0, codecs.Malformed
	}
	fields := rule.Fields
	if len(fields) == 0 {
		fields, rule.AnyCase = []string{"ts", "timestamp"}, true
	}
	var paths [][]string
	for _, f := range fields {
		paths = append(paths, strings.Split(f, "."))
	}
	return referenceObject(doc, paths, rule)
}

// referenceObject looks for paths in an object, by its members in order.
func referenceObject(doc []byte, paths [][]string, rule codecs.Rule) (int64, codecs.Status) {
	d := json.NewDecoder(bytes.NewReader(doc))
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	for d.More() {
		k, err := d.Token()
		if err != nil {
			panic(err)
		}
		var v json.RawMessage
		if err := d.Decode(&v); err != nil && err != io.EOF {
			panic(err)
		}
		leaf, inner := false, [][]string(nil)
		for _, p := range paths {
			if p[0] == k || rule.AnyCase && asciiLower(p[0]) == asciiLower(k.(string)) {
				if len(p) == 1 {
					leaf = true
				} else {
					inner = append(inner, p[1:])
				}
			}
		}
		switch {
		case string(v) == "null":
		case v[0] == '{' && inner != nil:
			if ms, s := referenceObject(v, inner, rule); s != codecs.None {
				return ms, s
			}
		case leaf:
			return referenceTime(v, rule.Unit)
		}
	}
	return 0, codecs.None
}

func referenceTime(v json.RawMessage, unit string) (int64, codecs.Status) {
	switch v[0] {
	case '"':
		var text string
		if err := json.Unmarshal(v, &text); err != nil {
			panic(err)
		}
		if len(text) > 63 {
			break
		}
		if ms, ok := referenceRFC3339(text); ok {
			return ms, codecs.Found
		}
		if jsonNumber.MatchString(text) {
			return referenceNumber(text, unit)
		}
	case '{', '[', 't', 'f':
	default:
		return referenceNumber(string(v), unit)
	}
	return 0, codecs.Malformed
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
		unit = "ns"
		for u, most := range map[string]int64{"s": 999_999_999_999, "ms": 999_999_999_999_999, "us": 999_999_999_999_999_999} {
			below := new(big.Rat).Abs(r).Cmp(big.NewRat(most/1000, 1)) <= 0 && u != "s"
			if !below && new(big.Rat).Abs(r).Cmp(big.NewRat(most, 1)) <= 0 {
				unit = u
			}
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
