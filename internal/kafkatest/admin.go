package kafkatest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateTopic makes a topic with as many replicas as the cluster gives by default
// (see [Options]) and waits until every partition has a leader. Configs may be nil.
func (c *Cluster) CreateTopic(ctx context.Context, topic string, partitions int, configs map[string]string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, int32(partitions), -1
	for k, v := range configs {
		rc := kmsg.NewCreateTopicsRequestTopicConfig()
		rc.Name, rc.Value = k, &v
		t.Configs = append(t.Configs, rc)
	}
	req.Topics = append(req.Topics, t)
	client, err := c.admin()
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	return c.waitTopic(ctx, topic, partitions)
}

// MustCreateTopic is CreateTopic for tests.
func (c *Cluster) MustCreateTopic(tb testing.TB, topic string, partitions int, configs map[string]string) {
	tb.Helper()
	if err := c.CreateTopic(tb.Context(), topic, partitions, configs); err != nil {
		tb.Fatal(err)
	}
}

// DeleteTopic deletes a topic and waits until the broker knows it no more.
func (c *Cluster) DeleteTopic(ctx context.Context, topic string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{topic}
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	client, err := c.admin()
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("delete topic %s: %w", topic, err)
	}
	return c.waitTopic(ctx, topic, 0)
}

// AddPartitions gives a topic so many partitions in all and waits until each
// has a leader.
func (c *Cluster) AddPartitions(ctx context.Context, topic string, total int) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, int32(total)
	req.Topics = append(req.Topics, t)
	client, err := c.admin()
	if err != nil {
		return fmt.Errorf("add partitions to %s: %w", topic, err)
	}
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("add partitions to %s: %w", topic, err)
	}
	return c.waitTopic(ctx, topic, total)
}

// DeleteRecords drops what a partition has before an offset, as retention does.
func (c *Cluster) DeleteRecords(ctx context.Context, topic string, partition int, before int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	t, p := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = int32(partition), before
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	client, err := c.admin()
	if err != nil {
		return fmt.Errorf("delete records of %s/%d: %w", topic, partition, err)
	}
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("delete records of %s/%d before offset %d: %w", topic, partition, before, err)
	}
	return nil
}

// TopicID is Kafka's identifier of a topic: another one after it was deleted
// and made again.
func (c *Cluster) TopicID(ctx context.Context, topic string) ([16]byte, error) {
	client, err := c.admin()
	if err != nil {
		return [16]byte{}, fmt.Errorf("ask for topic %s: %w", topic, err)
	}
	t, err := describe(ctx, client, topic)
	if err == nil {
		err = kerr.ErrorForCode(t.ErrorCode)
	}
	if err != nil {
		return [16]byte{}, fmt.Errorf("ask for topic %s: %w", topic, err)
	}
	return t.TopicID, nil
}

// waitTopic waits until a topic has exactly so many partitions, each with a
// leader that takes questions; 0 waits until it is gone. A broker answers a
// creation before it leads what was created.
func (c *Cluster) waitTopic(ctx context.Context, topic string, partitions int) error {
	client, err := c.admin()
	if err != nil {
		return fmt.Errorf("wait for topic %s: %w", topic, err)
	}
	return wait(ctx, fmt.Sprintf("topic %s with %d partitions, each with a leader", topic, partitions), func() error {
		t, err := describe(ctx, client, topic)
		if err != nil {
			return err
		}
		return ready(ctx, client, t, partitions)
	})
}

// wait waits until there is nothing to complain about.
func wait(ctx context.Context, what string, complaint func() error) error {
	for {
		err := complaint()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w (%v)", what, ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func describe(ctx context.Context, client *kgo.Client, topic string) (*kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	req.AllowAutoTopicCreation = false
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	return &resp.Topics[0], nil
}

func ready(ctx context.Context, client *kgo.Client, t *kmsg.MetadataResponseTopic, partitions int) error {
	err := kerr.ErrorForCode(t.ErrorCode)
	if partitions == 0 {
		if err == kerr.UnknownTopicOrPartition {
			return nil
		}
		return fmt.Errorf("still there, with %d partitions (%v)", len(t.Partitions), err)
	}
	if err != nil {
		return err
	}
	if len(t.Partitions) != partitions {
		return fmt.Errorf("%d partitions", len(t.Partitions))
	}
	req := kmsg.NewPtrListOffsetsRequest()
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = *t.Topic
	for _, p := range t.Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return fmt.Errorf("partition %d: %w", p.Partition, err)
		}
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p.Partition, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, rt := range resp.Topics {
		for _, rp := range rt.Partitions {
			if err := kerr.ErrorForCode(rp.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", rp.Partition, err)
			}
		}
	}
	return nil
}
