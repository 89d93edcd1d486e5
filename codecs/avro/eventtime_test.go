package avro_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
)

// at and its datum: a long in the encoding of Avro.
const (
	at  = int64(1795285200123)
	bin = "f6b3 b1f5 bf68"
)

func TestEventTime(t *testing.T) {
	const (
		millis   = `{"type":"long","logicalType":"timestamp-millis"}`
		list     = `{"type":"record","name":"List","fields":[{"name":"next","type":["null","List"]}]}`
		nonsense = `{"type":"record","name":"Never","fields":[{"name":"a","type":"Never"},{"name":"b","type":"Never"}]}`
	)
	record := func(fields ...string) string {
		return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
	}
	inner := func(fields ...string) string {
		return `{"type":"record","name":"M","fields":[` + strings.Join(fields, ",") + `]}`
	}
	field := func(name, kind string) string { return `{"name":"` + name + `","type":` + kind + `}` }
	ts := field("ts", millis)
	logical := func(kind, name string) string {
		return record(field("ts", `{"type":"`+kind+`","logicalType":"`+name+`"}`))
	}
	rule := func(fields ...string) codecs.Rule { return codecs.Rule{Fields: fields} }
	x := strings.Repeat

	for _, tc := range []struct {
		name   string
		schema string
		datum  string
		want   any
		rule   codecs.Rule
	}{
		{name: "milliseconds", schema: record(ts), datum: bin, want: at},
		{name: "with more behind them", schema: record(ts, field("a", `"string"`)), datum: bin + "06 616263", want: at},
		{name: "what is behind is not looked at", schema: record(ts, field("a", `"string"`)), datum: bin + "ff", want: at},
		{name: "zero", schema: record(ts), datum: "00", want: int64(0)},
		{name: "the least", schema: record(ts), datum: "ffff ffff ffff ffff ff01", want: int64(math.MinInt64)},
		{name: "the greatest", schema: record(ts), datum: "feff ffff ffff ffff ff01", want: int64(math.MaxInt64)},
		{name: "one more bit", schema: record(ts), datum: "ffff ffff ffff ffff ff02", want: codecs.Malformed},
		{name: "more bytes than a long has", schema: record(ts), datum: "8080 8080 8080 8080 8080 00", want: codecs.Malformed},
		{name: "more bytes than needed", schema: record(ts), datum: "8280 8000", want: int64(1)},
		{name: "microseconds", schema: logical("long", "timestamp-micros"), datum: "feff ffff ffff ffff ff01", want: int64(math.MaxInt64 / 1000)},
		{name: "microseconds go to the past", schema: logical("long", "timestamp-micros"), datum: "01", want: int64(-1)},
		{name: "nanoseconds go to the past", schema: logical("long", "timestamp-nanos"), datum: "01", want: int64(-1)},
		{name: "the least nanoseconds", schema: logical("long", "timestamp-nanos"), datum: "ffff ffff ffff ffff ff01", want: int64(-9223372036855)},
		{name: "local time is taken for UTC", schema: logical("long", "local-timestamp-micros"), datum: "d00f", want: int64(1)},
		{name: "a unit does not change what a schema says", schema: record(ts), datum: bin, want: at, rule: codecs.Rule{Unit: "s"}},

		{name: "a plain long is told by its magnitude", schema: record(field("ts", `"long"`)), datum: bin, want: at},
		{name: "or has the unit of the rule", schema: record(field("ts", `"long"`)), datum: bin, want: at * 1000, rule: codecs.Rule{Unit: "s"}},
		{name: "one beyond all time", schema: record(field("ts", `"long"`)), datum: "feff ffff ffff ffff ff01", want: codecs.Malformed, rule: codecs.Rule{Unit: "s"}},
		{name: "an int", schema: record(field("ts", `"int"`)), datum: "02", want: int64(1000)},
		{name: "an int that overflows", schema: record(field("ts", `"int"`)), datum: "8080 8080 10", want: codecs.Malformed},
		{name: "an int of six bytes", schema: record(field("ts", `"int"`)), datum: "8080 8080 8000", want: codecs.Malformed},
		{name: "an int cannot be a timestamp, so it is plain", schema: logical("int", "timestamp-millis"), datum: "02", want: int64(1000)},
		{name: "nor is it one beside the type", schema: record(`{"name":"ts","type":"long","logicalType":"timestamp-micros"}`), datum: "02", want: int64(1000)},
		{name: "a logical type that nobody knows", schema: logical("long", "stardate"), datum: "02", want: int64(1000)},
		{name: "a double", schema: record(field("ts", `"double"`)), datum: "0000 0000 0000 f83f", want: int64(1500)},
		{name: "a double that is none", schema: record(field("ts", `"double"`)), datum: "0000 0000 0000 f87f", want: codecs.Malformed},
		{name: "a float", schema: record(field("ts", `"float"`)), datum: "0000 c03f", want: int64(1500)},
		{name: "a cut float", schema: record(field("ts", `"float"`)), datum: "0000 c0", want: codecs.Malformed},
		{name: "a text", schema: record(field("ts", `"string"`)), datum: "28 313937302d30312d30315430303a30303a30315a", want: int64(1000)},
		{name: "a text that is no time", schema: record(field("ts", `"string"`)), datum: "02 61", want: codecs.Malformed},
		{name: "a text longer than the value", schema: record(field("ts", `"string"`)), datum: "04 31", want: codecs.Malformed},
		{name: "a text of negative length", schema: record(field("ts", `"string"`)), datum: "01 31", want: codecs.Malformed},

		{name: "a date is no time", schema: logical("int", "date"), datum: "02", want: codecs.None},
		{name: "nor a time of day", schema: logical("long", "time-micros"), datum: "02", want: codecs.None},
		{name: "nor bytes", schema: record(field("ts", `"bytes"`)), datum: "02 31", want: codecs.None},
		{name: "nor is there one in what is no record", schema: `"long"`, datum: bin, want: codecs.None},
		{name: "what is no time is passed by", schema: record(field("ts", `"bytes"`), field("timestamp", millis)), datum: "02 31" + bin, want: at},

		{name: "the second branch", schema: record(field("ts", `["null",`+millis+`]`)), datum: "02" + bin, want: at},
		{name: "null", schema: record(field("ts", `["null",`+millis+`]`)), datum: "00", want: codecs.None},
		{name: "no such branch", schema: record(field("ts", `["null",`+millis+`]`)), datum: "04" + bin, want: codecs.Malformed},
		{name: "a negative branch", schema: record(field("ts", `["null",`+millis+`]`)), datum: "01" + bin, want: codecs.Malformed},
		{name: "each branch has its type", schema: record(field("ts", `["string",`+millis+`]`)), datum: "00 02 31", want: int64(1000)},
		{name: "a branch that is no time", schema: record(field("ts", `["bytes",`+millis+`]`)), datum: "00 02 31", want: codecs.Malformed},
		{name: "null gives way to the next field", schema: record(field("timestamp", millis), field("ts", `["null",`+millis+`]`)), datum: bin + "00", want: at},
		{name: "the order of the rule counts", schema: record(field("timestamp", millis), field("ts", millis)), datum: "02 04", want: int64(2)},
		{name: "any case by default", schema: record(field("TimeStamp", millis)), datum: bin, want: at},
		{name: "one case otherwise", schema: record(field("TS", millis)), datum: bin, want: codecs.None, rule: rule("ts")},
		{name: "a name before an alias", schema: record(`{"name":"a","aliases":["ts"],"type":"long"}`, ts), datum: "02 04", want: int64(2)},
		{name: "an alias that is its own name", schema: record(`{"name":"ts","aliases":["ts","ts",""],"type":` + millis + `}`), datum: bin, want: at},
		{name: "an alias", schema: record(`{"name":"a","aliases":["b","ts"],"type":` + millis + `}`), datum: bin, want: at},

		{name: "a path", schema: record(field("a", `"int"`), field("meta", inner(field("b", `"string"`), ts))), datum: "02 02 31" + bin, want: at, rule: rule("meta.ts")},
		{name: "through null or a record", schema: record(field("meta", `["null",`+inner(ts)+`]`)), datum: "02" + bin, want: at, rule: rule("meta.ts")},
		{name: "through null", schema: record(field("meta", `["null",`+inner(ts)+`]`)), datum: "00", want: codecs.None, rule: rule("meta.ts")},
		{name: "through what is no record", schema: record(field("meta", `["int",`+inner(ts)+`]`)), datum: "00 02", want: codecs.None, rule: rule("meta.ts")},
		{name: "through one of two records", schema: `["null",` + record(ts) + `,{"type":"record","name":"S","fields":[` + field("a", `"double"`) + `,` + ts + `]}]`,
			datum: "04 00000000 00000000" + bin, want: at},
		{name: "through itself", schema: `{"type":"record","name":"R","fields":[` + ts + `,` + field("next", `["null","R"]`) + `]}`, datum: "02 02 04 00", want: int64(2), rule: rule("next.ts")},
		{name: "not through arrays", schema: record(field("meta", `{"type":"array","items":`+inner(ts)+`}`)), datum: "00", want: codecs.None, rule: rule("meta.ts")},
		{name: "a name of the enclosing namespace", schema: `{"type":"record","name":"R","namespace":"x","fields":[` +
			field("a", `{"type":"fixed","name":"F","namespace":"","size":1}`) + `,` + field("b", `{"type":"fixed","name":"F","size":2}`) + `,` + field("c", `"F"`) + `,` + ts + `]}`,
			datum: "01 0202 0303" + bin, want: at},
		{name: "a name of no namespace", schema: `{"type":"record","name":"R","namespace":"x","fields":[` +
			field("a", `{"type":"fixed","name":"F","namespace":"","size":1}`) + `,` + field("b", `{"type":"fixed","name":"F","size":2}`) + `,` + field("c", `".F"`) + `,` + ts + `]}`, datum: "01 0202 03" + bin, want: at},
		{name: "a name before its type", schema: record(field("a", `["null","F"]`), field("b", `{"type":"fixed","name":"F","size":1}`), ts), datum: "02 01 02" + bin, want: at},
		{name: "names in all languages", schema: record(field("größe", `"int"`), ts), datum: "02" + bin, want: at},
		{name: "a default that does not fit", schema: record(`{"name":"a","type":"int","default":"none"}`, ts), datum: "02" + bin, want: at},

		{name: "an array", schema: record(field("a", `{"type":"array","items":"string"}`), ts), datum: "04 02 31 04 3132 02 00 00" + bin, want: at},
		{name: "an array in sized blocks", schema: record(field("a", `{"type":"array","items":"string"}`), ts), datum: "03 0a ffff ffff ff 00" + bin, want: at},
		{name: "a block larger than the value", schema: record(field("a", `{"type":"array","items":"string"}`), ts), datum: "03 7e ffff ffff ff 00" + bin, want: codecs.Malformed},
		{name: "a block of negative size", schema: record(field("a", `{"type":"array","items":"string"}`), ts), datum: "03 01 00" + bin, want: codecs.Malformed},
		{name: "a block smaller than its items", schema: record(field("a", `{"type":"array","items":"double"}`), ts), datum: "03 08 0000 0000 00" + bin, want: codecs.Malformed},
		{name: "the least count", schema: record(field("a", `{"type":"array","items":"null"}`), ts), datum: "ffff ffff ffff ffff ff01 00 00" + bin, want: codecs.Malformed},
		{name: "the greatest count, of doubles", schema: record(field("a", `{"type":"array","items":"double"}`), ts), datum: "feff ffff ffff ffff ff01" + x("00", 99), want: codecs.Malformed},
		{name: "of texts", schema: record(field("a", `{"type":"array","items":"string"}`), ts), datum: "feff ffff ffff ffff ff01" + x("00", 99), want: codecs.Malformed},
		{name: "of nothing, of which there can be so many", schema: record(field("a", `{"type":"array","items":"null"}`), ts), datum: "feff ffff ffff ffff ff01 00" + bin, want: at},
		{name: "of records without fields", schema: record(field("a", `{"type":"array","items":{"type":"record","name":"E","fields":[]}}`), ts), datum: "feff ffff ffff ffff ff01 00" + bin, want: at},
		{name: "a map", schema: record(field("a", `{"type":"map","values":"int"}`), ts), datum: "02 02 31 04 00" + bin, want: at},
		{name: "a map of nothing still has keys", schema: record(field("a", `{"type":"map","values":"null"}`), ts), datum: "04 02 31 02 32 00" + bin, want: at},
		{name: "arrays without an end", schema: record(field("a", `{"type":"array","items":"int"}`), ts), datum: "02 02", want: codecs.Malformed},
		{name: "an enum", schema: record(field("a", `{"type":"enum","name":"E","symbols":["A","B"]}`), ts), datum: "02" + bin, want: at},
		{name: "a symbol that it does not have", schema: record(field("a", `{"type":"enum","name":"E","symbols":["A","B"]}`), ts), datum: "04" + bin, want: codecs.Malformed},
		{name: "a fixed larger than any value", schema: record(field("a", `{"type":"fixed","name":"F","size":9223372036854775807}`), field("b", `"F"`), ts), datum: x("00", 99), want: codecs.Malformed},

		{name: "250 records in each other", schema: record(field("a", list), ts), datum: x("02", 250) + "00" + bin, want: at},
		{name: "a thousand", schema: record(field("a", list), ts), datum: x("02", 1000) + "00" + bin, want: codecs.Malformed},
		{name: "a record that holds itself", schema: record(field("a", nonsense), ts), datum: x("02", 99), want: codecs.Malformed},
		{name: "2^60 records without fields", schema: record(field("a", doubling(60, `{"type":"record","name":"D0","fields":[]}`)), ts), datum: bin, want: at},
		{name: "2^60 bytes", schema: record(field("a", doubling(60, `{"type":"fixed","name":"D0","size":1}`)), ts), datum: bin, want: codecs.Malformed},
		{name: "2^70 bytes", schema: record(field("a", doubling(70, `{"type":"fixed","name":"D0","size":1}`)), ts), datum: bin, want: codecs.Malformed},
		{name: "2^60 texts", schema: record(field("a", doubling(60, `{"type":"record","name":"D0","fields":[`+field("a", `"string"`)+`]}`)), ts), datum: x("00", 99), want: codecs.Malformed},
		{name: "2^16 ways", schema: `{"type":"record","name":"A","fields":[` + field("n", `["A",{"type":"record","name":"B","fields":[`+field("n", `["A","B","long"]`)+`]}]`) + `]}`,
			datum: x("02", 15) + "04" + bin, want: at, rule: rule("n" + x(".n", 15))},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := mustBuild(t, tc.rule, registry{7: {Text: tc.schema}})
			m := &codecs.Message{Value: framed(7, unhex(tc.datum))}
			began := time.Now()
			if got := ask(t, c, m); got != tc.want {
				t.Errorf("%s %s gives %v, want %v", tc.schema, tc.datum, got, tc.want)
			}
			if n := testing.AllocsPerRun(10, func() { c.EventTime(m) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("took %s", d)
			}
		})
	}
}

// doubling is a record of two records of two records and so on, of two of the last,
// which is called D0.
func doubling(n int, last string) string {
	for i := range n {
		name := func(i int) string { return "D" + string(rune('0'+i/10)) + string(rune('0'+i%10)) }
		inner := name(i)
		if i == 0 {
			inner = "D0"
		}
		last = `{"type":"record","name":"` + name(i+1) + `","fields":[{"name":"a","type":` + last + `},{"name":"b","type":"` + inner + `"}]}`
	}
	return last
}
