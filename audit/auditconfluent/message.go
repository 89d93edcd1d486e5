package auditconfluent

import (
	"slices"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/chaperone-audit/chaperone/audit"
)

// stamp is a copy of a message that says its time.
func stamp(t *audit.Topic, msg *kafka.Message) (stamped *kafka.Message, p audit.Passage) {
	m := *msg
	ms, add := t.Stamp(m.Key, m.Value, header(m.Headers))
	if len(add) > 0 {
		m.Headers = slices.Grow(slices.Clip(m.Headers), len(add)) // others may have the same array
		for _, h := range add {
			m.Headers = append(m.Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
	}
	return &m, audit.Passage{Key: m.Key, Value: m.Value, Time: ms}
}

// passage is that of a message that comes from a log: without an event time it counts
// where the log's tier counts it.
func passage(t *audit.Topic, m *kafka.Message) audit.Passage {
	return audit.Passage{Stamp: max(0, m.Timestamp.UnixMilli()), Key: m.Key, Value: m.Value, Time: t.EventTime(m.Key, m.Value, header(m.Headers))}
}

// header finds the last header of a name.
func header(headers []kafka.Header) func(name string) ([]byte, bool) {
	return func(name string) ([]byte, bool) {
		for i := len(headers) - 1; i >= 0; i-- {
			if headers[i].Key == name {
				return headers[i].Value, true
			}
		}
		return nil, false
	}
}
