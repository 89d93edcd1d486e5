package kafkatest

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestCompactedTopicsAreCleanedHard(t *testing.T) {
	Both(t, func(t *testing.T, c *Cluster) {
		ctx := within(t)
		topic := Name(t, "cleaned")
		c.MustCreateTopic(t, topic, 1, map[string]string{"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000"})
		stop, err := c.CompactHard(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		n := 0
		waitUntil(t, "the first record to go", func() error {
			n++
			r := &kgo.Record{Topic: topic, Key: []byte("key"), Value: fmt.Append(nil, n)}
			if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if got := consume(t, c, topic, 1); got[0] == "1" {
				return fmt.Errorf("the first record is still there after %d", n)
			}
			return nil
		})
		if err := stop(ctx); err != nil {
			t.Fatal(err)
		}
		if c.Name() == "kfake" {
			return // it needs no settings
		}
		for name, want := range map[string]string{"min.compaction.lag.ms": "3600000", "segment.ms": ""} {
			waitUntil(t, name+" as it was before", func() error {
				if got, err := c.topicConfig(ctx, topic, name); err != nil || got != want {
					return fmt.Errorf("%q (%v), want %q", got, err, want)
				}
				return nil
			})
		}
	})
}

func TestTopicConfigsAreSetAndPutBack(t *testing.T) {
	Both(t, func(t *testing.T, c *Cluster) {
		ctx := within(t)
		topic := Name(t, "config")
		c.MustCreateTopic(t, topic, 1, map[string]string{"retention.ms": "1000000"})
		for _, want := range []string{"2000000", ""} {
			if err := c.SetTopicConfig(ctx, topic, map[string]string{"retention.bytes": want}); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, "the setting", func() error {
				if got, err := c.topicConfig(ctx, topic, "retention.bytes"); err != nil || got != want {
					return fmt.Errorf("%q (%v)", got, err)
				}
				return nil
			})
		}
		if got, err := c.topicConfig(ctx, topic, "retention.ms"); err != nil || got != "1000000" {
			t.Errorf("another setting is %q (%v)", got, err)
		}
		if err := c.SetTopicConfig(ctx, Name(t, "none"), map[string]string{"retention.ms": "1"}); err == nil {
			t.Error("a setting of a topic that does not exist")
		}
	})
}
