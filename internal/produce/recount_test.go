package produce

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

const instant = 1_700_000_000_123

var values = []struct {
	value string
	ms    int64
	want  answer
}{
	{`{"a":{"ts":1},"ts":1700000000123,"b":1}`, instant, found},
	{`{"TimeStamp":"2023-11-14T22:13:20.123Z"}`, instant, found},
	{`{"TS":"2023-11-15T00:13:20.1239+02:00"}`, instant, found},
	{`{"ts":1700000000.1239}`, instant, found},
	{`{"ts":"1700000000123"}`, instant, found},
	{`{"ts":null,"timestamp":1700000000123}`, instant, found},
	{`{"ts":1700000000123,"timestamp":5}`, instant, found},
	{`{"ts":1700000000123,"b":`, instant, found},
	{`{"ts":999999999999}`, 999_999_999_999_000, found},
	{`{"ts":1000000000000}`, 1_000_000_000_000, found},
	{`{"ts":-1.0001}`, -1001, found},
	{`{"a":{"ts":1}}`, 0, none},
	{`{}`, 0, none},
	{``, 0, none},
	{`{"ts":true}`, 0, broken},
	{`{"ts":"soon"}`, 0, broken},
	{`{"ts":1e99}`, 0, broken},
	{`{"a":"cut`, 0, broken},
	{`{"a":1} x`, 0, broken},
	{`[1]`, 0, broken},
	{`plain text`, 0, broken},
}

func TestEventTimesAreReadAsTheSpecificationSays(t *testing.T) {
	for _, v := range values {
		ms, a := new(RecountConfig).eventTime([]byte(v.value))
		if ms != v.ms || a != v.want {
			t.Errorf("%s: %d, %d; want %d, %d", v.value, ms, a, v.ms, v.want)
		}
	}
}

// The recount shares no code with the codecs, so agreement means something.
func TestRecountAgreesWithTheCodecs(t *testing.T) {
	s, err := codecs.NewSelector([]codecs.Rule{{Topics: "declared", Codecs: []string{"json"}}}, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		t.Fatal(err)
	}
	cfg := RecountConfig{WindowSize: time.Second, Past: codecs.DefaultPast, Future: codecs.DefaultFuture, Declared: func(topic string) bool { return topic == "declared" }}
	check := func(topic string, value []byte) {
		t.Helper()
		ms, class, _ := s.For(topic).Extract(&codecs.Message{Value: value, Time: instant})
		want := Counts{Count: 1, Bytes: uint64(len(value))}
		switch class {
		case audit.NoTime:
			want.NoTime = 1
		case audit.Malformed:
			want.Malformed = 1
		case audit.OutOfBounds:
			want.OutOfBounds = 1
		}
		key, got := cfg.classify(&kgo.Record{Topic: topic, Value: value, Timestamp: time.UnixMilli(instant)})
		if got != want || key.Window != audit.WindowAt(ms, 1) {
			t.Errorf("%s %s: recount has %+v in %s, codec %+v in %s", topic, value, got, key.Window, want, audit.WindowAt(ms, 1))
		}
	}
	shape := newShaper(5, "ts", 200)
	for _, topic := range []string{"declared", "plain"} {
		for _, v := range values {
			check(topic, []byte(v.value))
		}
		for range 300 {
			for _, k := range []kind{timedKind, timelessKind, garbledKind} {
				_, v := shape.message("orders", k, time.UnixMilli(instant-5))
				check(topic, v)
			}
		}
	}
}

func FuzzEventTime(f *testing.F) {
	for _, v := range values {
		f.Add([]byte(v.value))
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, cfg := range []RecountConfig{{}, {Strict: true}, {Fields: []string{"at"}}} {
			ms, a := cfg.eventTime(value)
			if a != found && ms != 0 {
				t.Fatalf("%q has no time and still %d", value, ms)
			}
		}
	})
}
