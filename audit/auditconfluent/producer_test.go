package auditconfluent

import (
	"context"
	"testing"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/chaperone-audit/chaperone/audit"
)

// counted is a Reporter that keeps the newest of each window.
type counted map[string]*audit.Record

func (c counted) Report(_ context.Context, records []*audit.Record) error {
	for _, r := range records {
		if r.Kind == audit.KindWindow {
			c[r.IdentityKey()] = r
		}
	}
	return nil
}

// There is no broker: what was given to the producer, by whichever way, is given up.
func TestWhatIsPurgedIsAFailureAndIsReported(t *testing.T) {
	c := counted{}
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: c})
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProducer(&kafka.ConfigMap{"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, r)
	if err != nil {
		t.Fatal(err)
	}
	topic := "t"
	msg := func(opaque any) *kafka.Message {
		return &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}, Value: []byte("v"), Opaque: opaque}
	}
	if err := p.Produce(&kafka.Message{}, nil); err == nil {
		t.Error("a message without a topic is taken")
	}
	if err := p.Produce(msg("mine"), nil); err != nil {
		t.Error(err)
	}
	p.ProduceChannel() <- msg("channel")
	for p.flying.Load() < 2 {
		p.Flush(1)
	}
	if n := p.Flush(50); n < 2 {
		t.Errorf("%d are left, want 2 or more", n)
	}
	if err := p.Purge(kafka.PurgeQueue); err != nil {
		t.Error(err)
	}
	seen := map[any]bool{}
	for len(seen) < 2 {
		if m, ok := (<-p.Events()).(*kafka.Message); ok {
			seen[m.Opaque] = m.TopicPartition.Error != nil
		}
	}
	if !seen["mine"] || !seen["channel"] {
		t.Errorf("reports are %v", seen)
	}
	p.Close()
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	for _, r := range c {
		if r.Client.Attempts != 2 || r.Client.Failures != 2 || r.Tally.Count != 0 {
			t.Errorf("it counts %+v", r.Client)
		}
	}
	if len(c) == 0 {
		t.Error("nothing is counted")
	}
}

// One record that cannot be written would keep back all others.
func TestATopicThatCannotBeIsReportedUncounted(t *testing.T) {
	c := counted{}
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: c})
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewProducer(&kafka.ConfigMap{"bootstrap.servers": "127.0.0.1:1", "log_level": 0}, r)
	if err != nil {
		t.Fatal(err)
	}
	topic, reports := "\xff", make(chan kafka.Event, 1)
	err = p.Produce(&kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny}, Opaque: "mine"}, reports)
	if err == nil {
		if err := p.Purge(kafka.PurgeQueue); err != nil {
			t.Error(err)
		}
		if m, ok := (<-reports).(*kafka.Message); !ok || m.TopicPartition.Error == nil || m.Opaque != "mine" {
			t.Errorf("the report is %v", m)
		}
	}
	p.Close()
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(c) != 0 {
		t.Errorf("it counts %v", c)
	}
}
