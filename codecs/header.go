package codecs

import (
	"encoding/binary"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// cloudTimeHeader is CloudEvents' time attribute in the Kafka protocol binding,
// binary content mode: RFC 3339.
const cloudTimeHeader = "ce_time"

// The codec "header" reads the event time out of a record header: of the rule's
// Headers the first that is there and not null, without any chaperone-time, then
// ce_time. Of a header that is there several times the last counts, as for Kafka's
// own clients.
//
// Which time: a text, see [Times]; or a signed integer of eight bytes, most
// significant first, as Java's serializers write it. What has eight bytes is a text if
// all of them are printable ASCII, which those of no time in seconds, milliseconds or
// microseconds are. chaperone-time is in milliseconds, whatever the unit.
var headerBuilder = Builder{
	Keys: append([]string{"headers"}, TimeKeys...),
	Build: func(r Rule, _ *Env) (Codec, error) {
		var p Problems
		c := &headerCodec{headers: r.Headers, times: NewTimes(r, &p)}
		for _, h := range r.Headers {
			if h == "" {
				p.Add("headers", "has an empty name")
			}
		}
		var set []string
		usual := []string{audit.TimeHeader, cloudTimeHeader}
		if len(r.Headers) == 0 {
			c.headers = usual
		} else if !slices.Equal(r.Headers, usual) {
			set = append(set, "headers="+Quoted(r.Headers))
		}
		c.name = Named("header", append(set, c.times.Names()...)...)
		return c, p.Err()
	},
}

type headerCodec struct {
	name    string
	headers []string
	times   Times
}

func (c *headerCodec) Name() string  { return c.name }
func (c *headerCodec) Basis() string { return audit.BasisHeader }

func (c *headerCodec) EventTime(m *Message) (int64, Status) {
	if len(m.Headers) == 0 {
		return 0, None
	}
	for _, name := range c.headers {
		v, ok := m.Headers.Get(name)
		if !ok || v == nil {
			continue
		}
		times := &c.times
		if name == audit.TimeHeader {
			times = &inMilliseconds
		}
		return times.bytes(v)
	}
	return 0, None
}

var inMilliseconds = Times{unit: milliseconds}

// bytes reads what a key or a header holds: a text, or a number of eight bytes.
func (t *Times) bytes(b []byte) (int64, Status) {
	var ms int64
	var ok bool
	if len(b) == 8 && slices.ContainsFunc(b, func(c byte) bool { return c < ' ' || c > '~' }) {
		ms, ok = t.Int(int64(binary.BigEndian.Uint64(b)))
	} else {
		ms, ok = t.Text(b)
	}
	if !ok {
		return 0, Malformed
	}
	return ms, Found
}

// The codec "key" reads the event time out of the key, which holds nothing else,
// like "header" out of a header. A null or empty key has no time.
var keyBuilder = Builder{
	Keys: TimeKeys,
	Build: func(r Rule, _ *Env) (Codec, error) {
		var p Problems
		c := &keyCodec{times: NewTimes(r, &p)}
		c.name = Named("key", c.times.Names()...)
		return c, p.Err()
	},
}

type keyCodec struct {
	name  string
	times Times
}

func (c *keyCodec) Name() string  { return c.name }
func (c *keyCodec) Basis() string { return audit.BasisPayload }

func (c *keyCodec) EventTime(m *Message) (int64, Status) {
	if len(m.Key) == 0 {
		return 0, None
	}
	return c.times.bytes(m.Key)
}

// The codec "cloudevents" reads the time of a CloudEvent: in binary content mode
// that is the header ce_time, in structured mode the member time of the JSON object
// that the value is. https://github.com/cloudevents/spec, the Kafka protocol binding.
var cloudEventsBuilder = Builder{
	Build: func(Rule, *Env) (Codec, error) {
		header, err := headerBuilder.Build(Rule{Headers: []string{cloudTimeHeader}}, nil)
		if err != nil {
			return nil, err
		}
		structured, err := JSON(Rule{Fields: []string{"time"}})
		if err != nil {
			return nil, err
		}
		return &cloudEvents{header, structured}, nil
	},
}

type cloudEvents struct{ header, structured Codec }

func (c *cloudEvents) Name() string  { return "cloudevents" }
func (c *cloudEvents) Basis() string { return audit.BasisPayload }

func (c *cloudEvents) EventTime(m *Message) (int64, Status) {
	// In binary mode the value is the event's data, of whatever kind: what looks like
	// a time in there is not the event's.
	if _, binary := m.Headers.Get("ce_id"); binary {
		return c.header.EventTime(m)
	}
	if ms, s := c.header.EventTime(m); s != None {
		return ms, s
	}
	return c.structured.EventTime(m)
}
