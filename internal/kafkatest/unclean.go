package kafkatest

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// ElectUnclean has a partition lose the end of its log, as an unclean election
// does. It holds back a follower, calls lose, which writes records that only the
// leader has, and then has the follower lead instead of it:
//
//	leader    0 1 2 | 3 4 5     killed: nobody in sync is left
//	follower  0 1 2 |           paused, resumed, elected; next is 3, again
//
// Records 3 to 5 were acknowledged (to acks=all too, the leader being the only
// one in sync) and could be consumed. When the old leader is back it truncates
// its log. ElectUnclean returns when the replicas are those that they were, and
// in sync; it takes 30 s and more. The cluster needs three nodes, the topic two
// replicas. After an error [Cluster.Resume] brings the nodes back.
func (c *Cluster) ElectUnclean(ctx context.Context, topic string, partition int, lose func(context.Context) error) error {
	p, err := c.partition(ctx, topic, partition)
	if err != nil {
		return fmt.Errorf("elect unclean leader of %s/%d: %w", topic, partition, err)
	}
	if len(p.Replicas) < 2 || c.Nodes() < 3 {
		return fmt.Errorf("elect unclean leader of %s/%d: it has %d replicas, the cluster %d nodes; want 2 and 3", topic, partition, len(p.Replicas), c.Nodes())
	}
	if err := c.electUnclean(ctx, topic, p, lose); err != nil {
		return fmt.Errorf("elect unclean leader of %s/%d: %w", topic, partition, err)
	}
	return nil
}

func (c *Cluster) electUnclean(ctx context.Context, topic string, p kmsg.MetadataResponseTopicPartition, lose func(context.Context) error) (err error) {
	leader := p.Leader
	follower := leadBy(p.Replicas, leader)[1]
	old, next := c.Node(int(leader)), c.Node(int(follower))
	// With a third node left out, the controllers are a majority whichever of the
	// two is away. One replica in sync has to be enough, or else the follower
	// stays eligible (KIP-966), and what it lacks is not shown to consumers.
	if err := c.reassign(ctx, topic, p.Partition, []int32{leader, follower}); err != nil {
		return err
	}
	before, err := c.topicConfig(ctx, topic, "min.insync.replicas")
	if err != nil {
		return err
	}
	if err := c.SetTopicConfig(ctx, topic, map[string]string{"min.insync.replicas": "1"}); err != nil {
		return err
	}
	if err := next.Pause(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, next.Resume()) }()
	if err := wait(ctx, "the leader to be alone in sync", func() error {
		return c.is(ctx, topic, p.Partition, func(p kmsg.MetadataResponseTopicPartition) bool { return p.Leader == leader && len(p.ISR) == 1 })
	}); err != nil {
		return err
	}
	if err := lose(ctx); err != nil {
		return err
	}
	if err := old.Kill(); err != nil {
		return err
	}
	if err := next.Start(ctx); err != nil {
		return err
	}
	if err := wait(ctx, "the follower to lead", func() error {
		if err := c.elect(ctx, topic, p.Partition, unclean); err != nil {
			return err
		}
		return c.is(ctx, topic, p.Partition, func(p kmsg.MetadataResponseTopicPartition) bool { return p.Leader == follower })
	}); err != nil {
		return err
	}
	if err := old.Start(ctx); err != nil {
		return err
	}
	if err := c.reassign(ctx, topic, p.Partition, leadBy(p.Replicas, follower)); err != nil {
		return err
	}
	return c.SetTopicConfig(ctx, topic, map[string]string{"min.insync.replicas": before})
}
