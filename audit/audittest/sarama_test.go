package audittest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditsarama"
)

var (
	saramaSync  = adapter{name: "sarama", produce: produceSync, consume: consumeSarama, reporter: reportSarama}
	saramaBatch = adapter{name: "sarama batch", produce: produceBatch, consume: consumeSarama, reporter: reportSarama}
	saramaAsync = adapter{name: "sarama async", produce: produceAsync, consume: consumeSarama, reporter: reportSarama}
)

// upper is an Encoder that is not sarama's own, and says something else each time.
type upper struct {
	text  []byte
	times int
}

func (u *upper) Encode() ([]byte, error) {
	if u.times++; u.times > 1 {
		return nil, errors.New("it is asked twice")
	}
	return u.text, nil
}
func (u *upper) Length() int { return len(u.text) }

func saramaMessages(msgs []message) []*sarama.ProducerMessage {
	list := make([]*sarama.ProducerMessage, len(msgs))
	for i, m := range msgs {
		list[i] = &sarama.ProducerMessage{Topic: m.topic, Metadata: i}
		for _, h := range m.headers {
			list[i].Headers = append(list[i].Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		if m.key != nil {
			list[i].Key = sarama.StringEncoder(m.key)
		}
		switch {
		case m.value == nil:
		case i%3 == 0:
			list[i].Value = &upper{text: m.value}
		default:
			list[i].Value = sarama.ByteEncoder(m.value)
		}
	}
	return list
}

func saramaConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Retry.Backoff = 10 * time.Millisecond
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	return c
}

func produceSync(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	p, err := sarama.NewSyncProducer(brokers, saramaConfig())
	must(t, err)
	p = auditsarama.Producer(p, r)
	errs := make([]error, len(msgs))
	for i, m := range saramaMessages(msgs) {
		_, _, errs[i] = p.SendMessage(m)
		unchanged(t, msgs[i], m, i)
	}
	must(t, p.Close())
	return errs
}

func produceBatch(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	p, err := sarama.NewSyncProducer(brokers, saramaConfig())
	must(t, err)
	p = auditsarama.Producer(p, r)
	errs := make([]error, len(msgs))
	for len(msgs) > 0 {
		n := min(len(msgs), 100)
		var list sarama.ProducerErrors
		if err := p.SendMessages(saramaMessages(msgs[:n])); errors.As(err, &list) {
			for _, e := range list {
				errs[len(errs)-len(msgs)+e.Msg.Metadata.(int)] = e
			}
		} else {
			must(t, err)
		}
		msgs = msgs[n:]
	}
	must(t, p.Close())
	return errs
}

func produceAsync(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	p, err := auditsarama.NewAsyncProducer(brokers, saramaConfig(), r)
	must(t, err)
	go func() {
		for _, m := range saramaMessages(msgs) {
			p.Input() <- m
		}
	}()
	errs := make([]error, len(msgs))
	left := len(msgs)
	came := func() {
		if left--; left == 0 { // not before: sarama does not try again while it closes
			p.AsyncClose()
		}
	}
	successes, failures := p.Successes(), p.Errors()
	for successes != nil || failures != nil {
		select {
		case m, ok := <-successes:
			if !ok {
				successes = nil
				continue
			}
			came()
			unchanged(t, msgs[m.Metadata.(int)], m, m.Metadata.(int))
		case e, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			came()
			errs[e.Msg.Metadata.(int)] = e
		}
	}
	if left != 0 {
		t.Errorf("%d messages of %d have no outcome", left, len(msgs))
	}
	return errs
}

// unchanged says that a message came back as it was sent, but for headers.
func unchanged(t *testing.T, was message, m *sarama.ProducerMessage, i int) {
	t.Helper()
	if m.Metadata != i {
		t.Errorf("message %d has Metadata %v", i, m.Metadata)
	}
	if _, own := m.Value.(*upper); own != (was.value != nil && i%3 == 0) {
		t.Errorf("message %d has a %T for its value", i, m.Value)
	}
}

// marker is an application that receives and marks.
type marker struct {
	left chan struct{} // as many as are to be received
	done context.CancelFunc
	mark func(delivery) bool
}

func (*marker) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*marker) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *marker) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case msg, ok := <-c.Messages():
			if !ok {
				return nil
			}
			if m.mark(delivery{msg.Partition, msg.Offset}) {
				if msg.Offset%2 == 0 {
					s.MarkMessage(msg, "")
				} else {
					s.MarkOffset(msg.Topic, msg.Partition, msg.Offset+1, "")
				}
			}
			<-m.left
			if len(m.left) == 0 {
				m.done()
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

func consumeSarama(t *testing.T, brokers []string, r *audit.Recorder, topic, group string, n int, mark func(delivery) bool) {
	g, err := sarama.NewConsumerGroup(brokers, group, saramaConfig())
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m := &marker{left: make(chan struct{}, n), done: cancel, mark: mark}
	for range n {
		m.left <- struct{}{}
	}
	for ctx.Err() == nil {
		if err := g.Consume(ctx, []string{topic}, auditsarama.Handler(m, r)); err != nil {
			t.Error(err)
		}
	}
	must(t, g.Close())
	if len(m.left) > 0 {
		t.Fatalf("%d messages have not come", len(m.left))
	}
}

func reportSarama(t *testing.T, brokers []string, topic string) audit.Reporter {
	reporter, err := auditsarama.NewReporter(brokers, nil, topic)
	must(t, err)
	t.Cleanup(func() { must(t, reporter.Close()) })
	return reporter
}
