package codecs_test

import (
	"encoding/binary"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
)

func TestTimesOutsideThePayload(t *testing.T) {
	const ms = 1795285200123
	text := func(s string) []byte { return []byte(s) }
	eight := func(n int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	const rfc = "2026-11-21T18:20:00.123Z"
	for _, tc := range []struct {
		name string
		rule codecs.Rule
		m    codecs.Message
		want any
	}{
		{"our header", codecs.Rule{Codecs: []string{"header"}}, codecs.Message{Headers: encode(header{"chaperone-time", text("1795285200123")})}, ms},
		{"our header is milliseconds, however small", codecs.Rule{Codecs: []string{"header"}, Unit: "s"}, codecs.Message{Headers: encode(header{"chaperone-time", text("5000")})}, 5000},
		{"our header goes before that of CloudEvents", codecs.Rule{Codecs: []string{"header"}}, codecs.Message{Headers: encode(header{"ce_time", text("1")}, header{"chaperone-time", text("2")})}, 2},
		{"of CloudEvents", codecs.Rule{Codecs: []string{"header"}}, codecs.Message{Headers: encode(header{"ce_time", text(rfc)})}, ms},
		{"a null header is not there", codecs.Rule{Codecs: []string{"header"}}, codecs.Message{Headers: encode(header{"chaperone-time", nil}, header{"ce_time", text(rfc)})}, ms},
		{"an empty one is no time", codecs.Rule{Codecs: []string{"header"}}, codecs.Message{Headers: encode(header{"chaperone-time", text("")})}, codecs.Malformed},
		{"no headers", codecs.Rule{Codecs: []string{"header"}}, codecs.Message{}, codecs.None},
		{"other headers", codecs.Rule{Codecs: []string{"header"}}, codecs.Message{Headers: encode(header{"traceparent", text("00-1")})}, codecs.None},
		{"no known header is read where others are configured", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x"}}, codecs.Message{Headers: encode(header{"ce_time", text(rfc)})}, codecs.None},
		{"the first that is there, not the first in the message", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x", "y", "z"}}, codecs.Message{Headers: encode(header{"z", text("1")}, header{"y", text("2")})}, 2000},
		{"eight bytes as Java writes them", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x"}}, codecs.Message{Headers: encode(header{"x", eight(ms)})}, ms},
		{"eight bytes of nanoseconds", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x"}}, codecs.Message{Headers: encode(header{"x", eight(ms*1e6 + 999999)})}, ms},
		{"nanoseconds of 2044", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x"}}, codecs.Message{Headers: encode(header{"x", eight(2335219200000 * 1e6)})}, 2335219200000},
		{"eight bytes before 1970", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x"}}, codecs.Message{Headers: encode(header{"x", eight(-1000)})}, -1000000},
		{"eight letters are no time", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x"}}, codecs.Message{Headers: encode(header{"x", text("tomorrow")})}, codecs.Malformed},
		{"eight digits are a text", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x"}}, codecs.Message{Headers: encode(header{"x", text("12345678")})}, 12345678000},
		{"a broken header ends it", codecs.Rule{Codecs: []string{"header"}, Headers: []string{"x", "y"}}, codecs.Message{Headers: encode(header{"x", text("soon")}, header{"y", text("2")})}, codecs.Malformed},

		{"a key", codecs.Rule{Codecs: []string{"key"}}, codecs.Message{Key: text(rfc)}, ms},
		{"a key of eight bytes", codecs.Rule{Codecs: []string{"key"}}, codecs.Message{Key: eight(ms)}, ms},
		{"no key", codecs.Rule{Codecs: []string{"key"}}, codecs.Message{Value: text(rfc)}, codecs.None},
		{"a key that is none", codecs.Rule{Codecs: []string{"key"}}, codecs.Message{Key: text("u1")}, codecs.Malformed},

		{"CloudEvents, binary", codecs.Rule{Codecs: []string{"cloudevents"}}, codecs.Message{Headers: encode(header{"ce_id", text("1")}, header{"ce_time", text(rfc)}), Value: text(`{"time":"2001-01-01T00:00:00Z"}`)}, ms},
		{"CloudEvents, binary without time: the data is not the event", codecs.Rule{Codecs: []string{"cloudevents"}}, codecs.Message{Headers: encode(header{"ce_id", text("1")}), Value: text(`{"time":"2001-01-01T00:00:00Z"}`)}, codecs.None},
		{"CloudEvents, structured", codecs.Rule{Codecs: []string{"cloudevents"}}, codecs.Message{Headers: encode(header{"content-type", text("application/cloudevents+json")}), Value: text(`{"specversion":"1.0","data":{"time":"2001-01-01T00:00:00Z"},"time":"` + rfc + `"}`)}, ms},
		{"CloudEvents, structured, without time", codecs.Rule{Codecs: []string{"cloudevents"}}, codecs.Message{Value: text(`{"specversion":"1.0"}`)}, codecs.None},

		{"the record's", codecs.Rule{Codecs: []string{"record"}}, codecs.Message{Time: 7}, 7},
		{"set by the producer", codecs.Rule{Codecs: []string{"create_time"}}, codecs.Message{Time: 7, TimeType: codecs.CreateTime}, 7},
		{"not by the broker", codecs.Rule{Codecs: []string{"create_time"}}, codecs.Message{Time: 7, TimeType: codecs.LogAppendTime}, codecs.None},
		{"set by the broker", codecs.Rule{Codecs: []string{"append_time"}}, codecs.Message{Time: 7, TimeType: codecs.LogAppendTime}, 7},
		{"not by the producer", codecs.Rule{Codecs: []string{"append_time"}}, codecs.Message{Time: 7, TimeType: codecs.CreateTime}, codecs.None},

		{"a chain: the first that finds one", codecs.Rule{Codecs: []string{"header", "json", "record"}}, codecs.Message{Headers: encode(header{"ce_time", text(rfc)}), Value: text(`{"ts":1}`), Time: 7}, ms},
		{"a chain: the next", codecs.Rule{Codecs: []string{"header", "json", "record"}}, codecs.Message{Value: text(`{"ts":1}`), Time: 7}, 1000},
		{"a chain: the last", codecs.Rule{Codecs: []string{"header", "json", "record"}}, codecs.Message{Value: text(`{}`), Time: 7}, 7},
		{"a chain passes over what one cannot read", codecs.Rule{Codecs: []string{"key", "json"}}, codecs.Message{Key: text("u1"), Value: text(`{"ts":1}`)}, 1000},
		{"a chain without a time", codecs.Rule{Codecs: []string{"header", "json"}}, codecs.Message{Value: text(`{}`)}, codecs.None},
		{"a chain in which one cannot read it, whichever", codecs.Rule{Codecs: []string{"json", "header"}}, codecs.Message{Value: text(`plain`)}, codecs.Malformed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.rule.Topics = ".*"
			x := mustSelect(t, tc.rule)
			// Bounds are no matter here: the codec is asked by itself.
			c := x.CodecAt(tc.m.Time)
			ms, s := c.EventTime(&tc.m)
			got := any(s)
			if s == codecs.Found {
				got = int(ms)
			}
			if got != tc.want {
				t.Errorf("%s %d, want %v", s, ms, tc.want)
			}
			if n := testing.AllocsPerRun(10, func() { c.EventTime(&tc.m) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}
