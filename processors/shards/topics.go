package shards

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"
)

// A Topic is one of our own topics as it has to be.
type Topic struct {
	Name       string
	Partitions int32
	Config     map[string]string // what differs from the broker's defaults
	// For people: what it is for, and what a key and a value are.
	Purpose, Key, Value string
}

// EnsureTopics creates those topics that do not exist, with the given number of
// replicas (-1: the broker's default), checks the partition counts of those that
// do, and waits until every partition has a leader. Several instances may do it
// at once.
func EnsureTopics(ctx context.Context, brokers []string, config *sarama.Config, replicas int16, topics []Topic) error {
	admin, err := sarama.NewClusterAdmin(brokers, AskConfig(config))
	if err != nil {
		return fmt.Errorf("connect to the audit cluster %v: %w", brokers, err)
	}
	defer admin.Close()
	for _, t := range topics {
		detail := &sarama.TopicDetail{NumPartitions: t.Partitions, ReplicationFactor: replicas, ConfigEntries: map[string]*string{}}
		for k, v := range t.Config {
			detail.ConfigEntries[k] = &v
		}
		if err := admin.CreateTopic(t.Name, detail, false); err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w (it can be created by hand: `chaperone topology` lists partitions and settings)", t.Name, err)
		}
	}
	if err := awaitLeaders(ctx, admin, topics); err != nil {
		return err
	}
	return checkSettings(admin, topics)
}

// essential are the settings without which counts would be wrong and not only
// kept for a shorter or longer time.
var essential = []string{"cleanup.policy", "message.timestamp.type"}

// checkSettings compares the essential settings of topics that may have been
// made by hand, or by auto-creation. Who may not describe them is trusted.
func checkSettings(admin sarama.ClusterAdmin, topics []Topic) error {
	var resources []*sarama.ConfigResource
	want := map[string]map[string]string{}
	for _, t := range topics {
		resources = append(resources, &sarama.ConfigResource{Type: sarama.TopicResource, Name: t.Name, ConfigNames: essential})
		want[t.Name] = t.Config
	}
	results, err := admin.DescribeConfigs(resources, sarama.DescribeConfigsOptions{})
	if err != nil {
		return nil
	}
	for _, r := range results {
		for _, e := range r.Configs {
			if w := want[r.Name][e.Name]; w != "" && slices.Contains(essential, e.Name) && e.Value != w {
				return fmt.Errorf("topic %s has %s=%s and must have %s: counts would be wrong with it; set it by kafka-configs.sh --alter --entity-type topics --entity-name %s --add-config %s=%s",
					r.Name, e.Name, e.Value, w, r.Name, e.Name, w)
			}
		}
	}
	return nil
}

func awaitLeaders(ctx context.Context, admin sarama.ClusterAdmin, topics []Topic) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	for {
		found, err := admin.DescribeTopics(names)
		if err == nil {
			missing, wrong := lacking(topics, found)
			if wrong != nil || missing == "" {
				return wrong
			}
			err = errors.New(missing)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for our topics: %w: %w", context.Cause(ctx), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// lacking says what to wait for, empty for nothing; an error is for ever.
func lacking(want []Topic, found []*sarama.TopicMetadata) (string, error) {
	by := map[string]*sarama.TopicMetadata{}
	for _, m := range found {
		by[m.Name] = m
	}
	for _, t := range want {
		m := by[t.Name]
		switch {
		case m == nil || m.Err == sarama.ErrUnknownTopicOrPartition || m.Err == sarama.ErrLeaderNotAvailable:
			return "topic " + t.Name + " does not exist yet", nil
		case m.Err != sarama.ErrNoError:
			return fmt.Sprintf("topic %s: %v", t.Name, m.Err), nil
		case len(m.Partitions) != int(t.Partitions):
			return "", fmt.Errorf("topic %s has %d partitions, configured are %d: the number is fixed once counting has begun; set it back in the configuration, or choose a new audit.prefix to begin anew",
				t.Name, len(m.Partitions), t.Partitions)
		}
		for _, p := range m.Partitions {
			if p.Leader < 0 || p.Err == sarama.ErrLeaderNotAvailable {
				return fmt.Sprintf("partition %s/%d has no leader", t.Name, p.ID), nil
			}
		}
	}
	return "", nil
}
