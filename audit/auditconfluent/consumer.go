package auditconfluent

import (
	"sync"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Consumer is a kafka.Consumer that counts.
type Consumer struct {
	*kafka.Consumer
	r *audit.Recorder

	mu       sync.Mutex
	backlogs map[partition]*audit.Backlog
}

type partition struct {
	topic string
	id    int32
}

// NewConsumer makes c count. Subscribe by what it returns. Close it before the Recorder.
func NewConsumer(c *kafka.Consumer, r *audit.Recorder) *Consumer {
	return &Consumer{Consumer: c, r: r, backlogs: map[partition]*audit.Backlog{}}
}

// Subscribe is kafka.Consumer's.
func (c *Consumer) Subscribe(topic string, rebalanceCb kafka.RebalanceCb) error {
	return c.SubscribeTopics([]string{topic}, rebalanceCb)
}

// SubscribeTopics is kafka.Consumer's. What the callback commits it should commit by this
// Consumer, and not by the one that it is given.
func (c *Consumer) SubscribeTopics(topics []string, rebalanceCb kafka.RebalanceCb) error {
	return c.Consumer.SubscribeTopics(topics, func(under *kafka.Consumer, e kafka.Event) error {
		if revoked, ok := e.(kafka.RevokedPartitions); ok {
			defer c.forget(revoked.Partitions) // the program may still commit in its callback
		}
		if rebalanceCb == nil {
			return nil
		}
		return rebalanceCb(under, e)
	})
}

// forget ends the backlogs of partitions: what another consumer marks is its success.
func (c *Consumer) forget(list []kafka.TopicPartition) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range list {
		if p.Topic != nil {
			delete(c.backlogs, partition{*p.Topic, p.Partition})
		}
	}
}

// Poll is kafka.Consumer's.
func (c *Consumer) Poll(timeoutMs int) kafka.Event {
	e := c.Consumer.Poll(timeoutMs)
	if m, ok := e.(*kafka.Message); ok && m.TopicPartition.Error == nil {
		c.delivered(m)
	}
	return e
}

// ReadMessage is kafka.Consumer's.
func (c *Consumer) ReadMessage(timeout time.Duration) (*kafka.Message, error) {
	m, err := c.Consumer.ReadMessage(timeout)
	if err == nil {
		c.delivered(m)
	}
	return m, err
}

// Processed counts a message that the program is done with, and all earlier ones of its
// partition, where the client commits by itself.
func (c *Consumer) Processed(m *kafka.Message) {
	p := m.TopicPartition
	p.Offset++
	_, _ = c.marked([]kafka.TopicPartition{p}, nil) // the broker has no part in it: it cannot fail
}

// Commit is kafka.Consumer's.
func (c *Consumer) Commit() ([]kafka.TopicPartition, error) { return c.marked(c.Consumer.Commit()) }

// CommitMessage is kafka.Consumer's.
func (c *Consumer) CommitMessage(m *kafka.Message) ([]kafka.TopicPartition, error) {
	return c.marked(c.Consumer.CommitMessage(m))
}

// CommitOffsets is kafka.Consumer's.
func (c *Consumer) CommitOffsets(offsets []kafka.TopicPartition) ([]kafka.TopicPartition, error) {
	return c.marked(c.Consumer.CommitOffsets(offsets))
}

// StoreMessage is kafka.Consumer's.
func (c *Consumer) StoreMessage(m *kafka.Message) ([]kafka.TopicPartition, error) {
	return c.marked(c.Consumer.StoreMessage(m))
}

// StoreOffsets is kafka.Consumer's.
func (c *Consumer) StoreOffsets(offsets []kafka.TopicPartition) ([]kafka.TopicPartition, error) {
	return c.marked(c.Consumer.StoreOffsets(offsets))
}

func (c *Consumer) delivered(m *kafka.Message) {
	t := c.r.Topic(*m.TopicPartition.Topic)
	p := passage(t, m)
	t.Attempt(&p)
	id := partition{t.Name(), m.TopicPartition.Partition}
	c.mu.Lock()
	b := c.backlogs[id]
	if b == nil {
		b = t.Backlog()
		c.backlogs[id] = b
	}
	c.mu.Unlock()
	b.Add(int64(m.TopicPartition.Offset), &p)
}

// marked counts what is before offsets, unless they were refused.
func (c *Consumer) marked(offsets []kafka.TopicPartition, err error) ([]kafka.TopicPartition, error) {
	if err != nil {
		return offsets, err
	}
	for _, p := range offsets {
		if p.Error != nil || p.Topic == nil {
			continue
		}
		c.mu.Lock()
		b := c.backlogs[partition{*p.Topic, p.Partition}]
		c.mu.Unlock()
		if b != nil {
			b.Processed(int64(p.Offset))
		}
	}
	return offsets, nil
}
