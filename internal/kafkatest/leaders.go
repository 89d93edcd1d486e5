package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Leader gives the node that leads a partition, and the epoch of its leadership.
func (c *Cluster) Leader(ctx context.Context, topic string, partition int) (node int, epoch int32, err error) {
	p, err := c.partition(ctx, topic, partition)
	if err == nil {
		err = kerr.ErrorForCode(p.ErrorCode)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("leader of %s/%d: %w", topic, partition, err)
	}
	return int(p.Leader), p.LeaderEpoch, nil
}

// MoveLeader has a node lead a partition, and returns when it does. A node
// without a replica gets one, in place of the last.
func (c *Cluster) MoveLeader(ctx context.Context, topic string, partition, node int) error {
	p, err := c.partition(ctx, topic, partition)
	if err == nil {
		err = c.moveLeader(ctx, topic, p, int32(node))
	}
	if err != nil {
		return fmt.Errorf("move the leader of %s/%d to node %d: %w", topic, partition, node, err)
	}
	return nil
}

func (c *Cluster) moveLeader(ctx context.Context, topic string, p kmsg.MetadataResponseTopicPartition, node int32) error {
	if p.Leader == node {
		return nil
	}
	replicas := leadBy(p.Replicas, node)
	if err := c.reassign(ctx, topic, p.Partition, replicas); err != nil {
		return err
	}
	return wait(ctx, "another leader", func() error {
		if err := c.elect(ctx, topic, p.Partition, preferred); err != nil {
			return err
		}
		return c.is(ctx, topic, p.Partition, func(p kmsg.MetadataResponseTopicPartition) bool { return p.Leader == node })
	})
}

// leadBy puts a node before the other replicas, in place of the last one if it
// has none.
func leadBy(replicas []int32, node int32) []int32 {
	rest := slices.DeleteFunc(slices.Clone(replicas), func(r int32) bool { return r == node })
	if len(rest) == len(replicas) && len(rest) > 0 {
		rest = rest[:len(rest)-1]
	}
	return append([]int32{node}, rest...)
}

// WaitInSync waits until all replicas of the topics are in sync, so that any
// node may be taken away.
func (c *Cluster) WaitInSync(ctx context.Context, topics ...string) error {
	client, err := c.admin()
	if err != nil {
		return fmt.Errorf("wait for replicas: %w", err)
	}
	for _, topic := range topics {
		err := wait(ctx, "replicas of "+topic+" in sync", func() error {
			t, err := describe(ctx, client, topic)
			if err == nil {
				err = kerr.ErrorForCode(t.ErrorCode)
			}
			if err != nil {
				return err
			}
			for _, p := range t.Partitions {
				if p.Leader < 0 || len(p.ISR) != len(p.Replicas) {
					return fmt.Errorf("partition %d: leader %d, replicas %v, in sync %v", p.Partition, p.Leader, p.Replicas, p.ISR)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// reassign moves a partition to nodes, the preferred leader first, and returns
// when it is there.
func (c *Cluster) reassign(ctx context.Context, topic string, partition int32, replicas []int32) error {
	client, err := c.admin()
	if err != nil {
		return err
	}
	req := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	t, p := kmsg.NewAlterPartitionAssignmentsRequestTopic(), kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
	p.Partition, p.Replicas = partition, replicas
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, client)
	if err == nil {
		err = kerr.ErrorForCode(resp.ErrorCode)
	}
	if err == nil && len(resp.Topics) > 0 {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("reassign to nodes %v: %w", replicas, err)
	}
	return wait(ctx, fmt.Sprintf("replicas on nodes %v", replicas), func() error {
		return c.is(ctx, topic, partition, func(p kmsg.MetadataResponseTopicPartition) bool {
			return slices.Equal(p.Replicas, replicas) && len(p.ISR) == len(replicas)
		})
	})
}

// The kinds of election.
const (
	preferred = 0 // the first replica, if it is in sync
	unclean   = 1 // any replica, if none is in sync: what it lacks is lost
)

func (c *Cluster) elect(ctx context.Context, topic string, partition int32, kind int8) error {
	client, err := c.admin()
	if err != nil {
		return err
	}
	req := kmsg.NewPtrElectLeadersRequest()
	t := kmsg.NewElectLeadersRequestTopic()
	t.Topic, t.Partitions = topic, []int32{partition}
	req.ElectionType, req.Topics = kind, append(req.Topics, t)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	err = kerr.ErrorForCode(resp.ErrorCode)
	if err == nil && len(resp.Topics) > 0 && len(resp.Topics[0].Partitions) > 0 {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if errors.Is(err, kerr.ElectionNotNeeded) {
		return nil
	}
	return err
}

// partition describes a partition as any of the brokers knows it. Its error
// code may say that it has no leader.
func (c *Cluster) partition(ctx context.Context, topic string, partition int) (p kmsg.MetadataResponseTopicPartition, err error) {
	client, err := c.admin()
	if err != nil {
		return p, err
	}
	t, err := describe(ctx, client, topic)
	if err == nil {
		err = kerr.ErrorForCode(t.ErrorCode)
	}
	if err != nil {
		return p, err
	}
	for _, p := range t.Partitions {
		if int(p.Partition) == partition {
			return p, nil
		}
	}
	return p, kerr.UnknownTopicOrPartition
}

// is says what a partition is like if that is not as wanted.
func (c *Cluster) is(ctx context.Context, topic string, partition int32, wanted func(kmsg.MetadataResponseTopicPartition) bool) error {
	p, err := c.partition(ctx, topic, int(partition))
	if err != nil {
		return err
	}
	if !wanted(p) {
		return fmt.Errorf("leader %d, replicas %v, in sync %v", p.Leader, p.Replicas, p.ISR)
	}
	return nil
}
