package audittest

import (
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

// A message as a program has it; nil is null.
type message struct {
	topic      string
	key, value []byte
	headers    []audit.Header
}

// A delivery is a message as a client gives it to a program.
type delivery struct {
	partition int32
	offset    int64
}

// An adapter is a client with its wrapper, as the suite uses it.
type adapter struct {
	name string
	// produce sends messages, and returns what became of each. It ends when all that
	// counts has ended.
	produce func(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error
	// consume receives n messages of a topic in a group, and marks those that mark names.
	consume func(t *testing.T, brokers []string, r *audit.Recorder, topic, group string, n int, mark func(delivery) bool)
	// reporter is the adapter's own.
	reporter func(t *testing.T, brokers []string, topic string) audit.Reporter
	// blind says that the client gives what is empty as null.
	blind bool
}

var adapters = []adapter{saramaSync, saramaBatch, saramaAsync, franz, kafkago, kafkagoAsync, confluent, confluentEvents}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
