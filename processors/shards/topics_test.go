package shards_test

import (
	"strings"
	"testing"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func TestEnsureTopics(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		config := func() *sarama.Config { s := sarama.NewConfig(); s.Version = sarama.V2_8_0_0; return s }
		ensure := func(topics ...shards.Topic) error {
			return shards.EnsureTopics(t.Context(), c.Brokers(), config(), 1, topics)
		}
		topic := shards.Topic{Name: kafkatest.Name(t, "own"), Partitions: 3, Config: map[string]string{"cleanup.policy": "delete", "message.timestamp.type": "LogAppendTime"}}
		if err := ensure(topic); err != nil {
			t.Fatalf("created: %v", err)
		}
		if err := ensure(topic); err != nil {
			t.Fatalf("existing: %v", err)
		}
		more := topic
		more.Partitions = 4
		if err := ensure(more); err == nil || !strings.Contains(err.Error(), "3 partitions, configured are 4") {
			t.Errorf("other number of partitions: %v", err)
		}
		byHand := kafkatest.Name(t, "byhand")
		c.MustCreateTopic(t, byHand, 3, nil)
		topic.Name = byHand
		if err := ensure(topic); err == nil || !strings.Contains(err.Error(), "must have LogAppendTime") {
			t.Errorf("made by hand with other settings: %v", err)
		}
	})
}
