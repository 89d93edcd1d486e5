package audittest

import (
	"strings"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditconfluent"
)

var (
	confluent       = adapter{name: "confluent", produce: produceConfluent, consume: consumeConfluent, reporter: reportConfluent}
	confluentEvents = adapter{name: "confluent events", produce: produceConfluentEvents, consume: consumeConfluent, reporter: reportConfluent}
)

func confluentConfig(brokers []string, more kafka.ConfigMap) *kafka.ConfigMap {
	more["bootstrap.servers"] = strings.Join(brokers, ",")
	more["broker.address.family"], more["log_level"] = "v4", 3
	return &more
}

func confluentMessages(msgs []message) []*kafka.Message {
	list := make([]*kafka.Message, len(msgs))
	for i, m := range msgs {
		list[i] = &kafka.Message{TopicPartition: kafka.TopicPartition{Topic: &msgs[i].topic, Partition: kafka.PartitionAny}, Key: m.key, Value: m.value, Opaque: i}
		for _, h := range m.headers {
			list[i].Headers = append(list[i].Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
	}
	return list
}

func produceConfluent(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	return confluentProduce(t, brokers, r, msgs, make(chan kafka.Event, len(msgs)))
}

// produceConfluentEvents has all reports on Events.
func produceConfluentEvents(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	return confluentProduce(t, brokers, r, msgs, nil)
}

func confluentProduce(t *testing.T, brokers []string, r *audit.Recorder, msgs []message, reports chan kafka.Event) []error {
	p, err := auditconfluent.NewProducer(confluentConfig(brokers, kafka.ConfigMap{"linger.ms": 5, "retry.backoff.ms": 10}), r)
	must(t, err)
	produced := reports
	if reports == nil {
		reports = p.Events()
	}
	errs := make([]error, len(msgs))
	left := 0
	for i, m := range confluentMessages(msgs) {
		if errs[i] = p.Produce(m, produced); errs[i] == nil {
			left++
		}
		if len(m.Headers) != len(msgs[i].headers) || m.Opaque != i {
			t.Errorf("message %d has been changed", i)
		}
	}
	patience := time.After(time.Minute)
	for left > 0 {
		select {
		case e := <-reports:
			if m, ok := e.(*kafka.Message); ok {
				errs[m.Opaque.(int)] = m.TopicPartition.Error
				left--
			}
		case <-patience:
			t.Fatalf("no reports of %d messages", left)
		}
	}
	go func() {
		for range p.Events() { // what is about no message; Flush waits for that too
		}
	}()
	if n := p.Flush(10_000); n != 0 {
		t.Errorf("%d are left", n)
	}
	p.Close()
	p.Close()
	return errs
}

func consumeConfluent(t *testing.T, brokers []string, r *audit.Recorder, topic, group string, n int, mark func(delivery) bool) {
	under, err := kafka.NewConsumer(confluentConfig(brokers, kafka.ConfigMap{
		"group.id": group, "auto.offset.reset": "earliest", "session.timeout.ms": 6000, "enable.auto.offset.store": false}))
	must(t, err)
	c := auditconfluent.NewConsumer(under, r)
	must(t, c.Subscribe(topic, nil))
	end := time.Now().Add(time.Minute)
	for n > 0 && time.Now().Before(end) {
		m, ok := c.Poll(100).(*kafka.Message)
		if !ok {
			continue
		}
		n--
		if !mark(delivery{m.TopicPartition.Partition, int64(m.TopicPartition.Offset)}) {
			continue
		}
		if m.TopicPartition.Offset%20 == 0 {
			_, err = c.CommitMessage(m)
		} else {
			_, err = c.StoreMessage(m)
		}
		must(t, err)
	}
	must(t, c.Close())
	if n != 0 {
		t.Fatalf("%d messages have not come", n)
	}
}

func reportConfluent(t *testing.T, brokers []string, topic string) audit.Reporter {
	reporter, err := auditconfluent.NewReporter(confluentConfig(brokers, kafka.ConfigMap{}), topic)
	must(t, err)
	t.Cleanup(func() { must(t, reporter.Close()) })
	return reporter
}
