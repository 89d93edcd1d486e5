package audittest

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// everywhere runs a test with every adapter on both brokers.
func everywhere(t *testing.T, test func(t *testing.T, a adapter, c *kafkatest.Cluster)) {
	for _, a := range adapters {
		t.Run(a.name, func(t *testing.T) {
			kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) { test(t, a, c) })
		})
	}
}

// What all tiers say of a topic is the same, and is what the topic holds.
func TestTiersAgreeAboutWhatATopicHolds(t *testing.T) {
	everywhere(t, func(t *testing.T, a adapter, c *kafkatest.Cluster) {
		topic, audits := kafkatest.Name(t, "orders"), kafkatest.Name(t, "audit")
		c.MustCreateTopic(t, topic, 3, nil)
		c.MustCreateTopic(t, audits, 4, nil)
		reporter := a.reporter(t, c.Brokers(), audits)

		const n, refused = 400, 3
		earlier := time.Now().Add(-3 * time.Minute).UnixMilli()
		msgs := messages(topic, n, earlier)
		for i := range refused { // too large for any client
			msgs[n/2+i].value = bytes.Repeat([]byte("large"), 300_000)
		}
		producer := record(t, reporter, "producer")
		failed := 0
		for i, err := range a.produce(t, c.Brokers(), producer, msgs) {
			if tooLarge := len(msgs[i].value) > 1<<20; tooLarge != (err != nil) {
				t.Errorf("message %d: %v", i, err)
			}
			if err != nil {
				failed++
			}
		}
		end(t, producer)
		if failed != refused {
			t.Errorf("%d failures, want %d", failed, refused)
		}
		held := look(t, c.Brokers(), topic, n-refused)
		if len(held) != n-refused {
			t.Fatalf("the topic holds %d messages, want %d", len(held), n-refused)
		}
		for _, m := range held {
			stamped(t, m, earlier)
		}

		all := record(t, reporter, "consumer")
		a.consume(t, c.Brokers(), all, topic, kafkatest.Name(t, "all"), n-refused, func(delivery) bool { return true })
		end(t, all)

		const first = 20
		some := record(t, reporter, "slacker")
		a.consume(t, c.Brokers(), some, topic, kafkatest.Name(t, "some"), n-refused, func(d delivery) bool { return d.offset < first })
		end(t, some)
		marked := uint64(0)
		for _, m := range held {
			if m.Offset < first {
				marked++
			}
		}

		said := listen(t, c.Brokers(), audits)
		says(t, said, topic, "producer", n, n-refused, refused, truth(held, false))
		says(t, said, topic, "consumer", n-refused, n-refused, 0, truth(held, a.blind))
		says(t, said, topic, "slacker", n-refused, marked, 0, nil)
	})
}

// truth is what should be said of messages, by a client that gives what is empty as
// null if it is blind.
func truth(held []*kgo.Record, blind bool) *audit.Tally {
	var sum audit.Tally
	for _, m := range held {
		key, value := m.Key, m.Value
		if blind && len(key) == 0 {
			key = nil
		}
		if blind && len(value) == 0 {
			value = nil
		}
		sum.Count++
		sum.Bytes += uint64(len(key) + len(value))
		sum.Fingerprint += audit.Hash(key, value)
		sum.PowerSums.Add(audit.Hash(key, value))
		ms := int64(0)
		for _, h := range m.Headers {
			if h.Key == audit.TimeHeader {
				ms, _ = strconv.ParseInt(string(h.Value), 10, 64) // see stamped
			}
		}
		sum.Moments.Add(audit.Moment(key, ms))
	}
	return &sum
}

// messages makes some of every kind.
func messages(topic string, n int, earlier int64) []message {
	msgs := make([]message, n)
	for i := range msgs {
		m := message{topic: topic, key: fmt.Append(nil, "key ", i), value: fmt.Append(nil, "value ", i), headers: []audit.Header{{Key: "mine", Value: []byte("x")}}}
		switch i % 10 {
		case 1:
			m.key = nil
		case 2:
			m.value = nil // a tombstone
		case 3:
			m.value = []byte{}
		case 4:
			m.headers = append(m.headers, audit.Header{Key: audit.TimeHeader, Value: strconv.AppendInt(nil, earlier, 10)})
		case 5:
			m.headers = nil
		}
		msgs[i] = m
	}
	return msgs
}

// stamped says that a message has one time, its own if it had one, and what else it had.
func stamped(t *testing.T, m *kgo.Record, earlier int64) {
	t.Helper()
	times, mine, ms := 0, 0, int64(0)
	for _, h := range m.Headers {
		switch h.Key {
		case audit.TimeHeader:
			times++
			ms, _ = strconv.ParseInt(string(h.Value), 10, 64)
		case "mine":
			mine++
		}
	}
	i := int(-1)
	_, _ = fmt.Sscanf(string(m.Key), "key %d", &i) // a null key is none of those that matter below
	switch d := m.Timestamp.UnixMilli() - ms; {
	case times != 1:
		t.Errorf("message %q has %d times", m.Key, times)
	case i >= 0 && i%10 == 4 && ms != earlier:
		t.Errorf("message %q has time %d, and had %d", m.Key, ms, earlier)
	case i >= 0 && i%10 != 4 && (d < -60_000 || d > 60_000):
		t.Errorf("message %q of %s has time %d", m.Key, m.Timestamp, ms)
	case i >= 0 && (i%10 == 5) != (mine == 0):
		t.Errorf("message %q has %d other headers", m.Key, mine)
	}
}
