package kafkatest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestLeadersMoveToAnyNode(t *testing.T) {
	c := Three(t)
	ctx := within(t)
	topic := Name(t, "moves")
	c.MustCreateTopic(t, topic, 2, nil)
	produce(t, c, topic, "a")
	before, epoch, err := c.Leader(ctx, topic, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		node := (before + 1 + i) % 3
		if err := c.MoveLeader(ctx, topic, 1, node); err != nil {
			t.Fatal(err)
		}
		// Any node is asked, and one may not have heard of it yet.
		var e int32
		if err := wait(ctx, "all nodes to know the leader", func() error {
			var leader int
			var err error
			if leader, e, err = c.Leader(ctx, topic, 1); err == nil && (leader != node || e <= epoch) {
				err = fmt.Errorf("leader %d in epoch %d after %d, want node %d in a later one", leader, e, epoch, node)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		epoch = e
	}
	if err := c.WaitInSync(ctx, topic); err != nil {
		t.Fatal(err)
	}
}

func TestALeaderIsPutFirstOrInPlaceOfTheLast(t *testing.T) {
	for _, c := range []struct {
		replicas []int32
		node     int32
		want     []int32
	}{
		{[]int32{0, 1, 2}, 0, []int32{0, 1, 2}},
		{[]int32{0, 1, 2}, 2, []int32{2, 0, 1}},
		{[]int32{0, 1}, 2, []int32{2, 0}},
		{[]int32{0}, 2, []int32{2}},
	} {
		if got := leadBy(c.replicas, c.node); !slices.Equal(got, c.want) {
			t.Errorf("%v led by %d: %v, want %v", c.replicas, c.node, got, c.want)
		}
	}
}

func TestTheEmbeddedBrokerLeadsEverything(t *testing.T) {
	c := Kfake(t)
	topic := Name(t, "led")
	c.MustCreateTopic(t, topic, 1, nil)
	if err := c.MoveLeader(within(t), topic, 0, 0); err != nil {
		t.Error(err)
	}
	if node, _, err := c.Leader(within(t), topic, 0); err != nil || node != 0 {
		t.Errorf("leader %d (%v), want 0", node, err)
	}
	if _, _, err := c.Leader(within(t), topic, 1); err == nil {
		t.Error("a partition that does not exist has a leader")
	}
	if err := c.ElectUnclean(within(t), topic, 0, nil); err == nil {
		t.Error("an unclean election with one node")
	}
}

// An acknowledged record is gone, and another one has its offset.
func TestUncleanElectionTruncatesTheLog(t *testing.T) {
	c := Three(t)
	ctx := within(t)
	topic := Name(t, "truncated")
	c.MustCreateTopic(t, topic, 1, map[string]string{"min.insync.replicas": "2"})
	produce(t, c, topic, "a", "b", "c")
	old, epoch, err := c.Leader(ctx, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	acked := func(ctx context.Context, value string) (int64, error) {
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RequiredAcks(kgo.LeaderAck()), kgo.DisableIdempotentWrite())
		if err != nil {
			return 0, err
		}
		defer client.Close()
		r, err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).First()
		return r.Offset, err
	}
	err = c.ElectUnclean(ctx, topic, 0, func(ctx context.Context) error {
		for i, v := range []string{"lost 3", "lost 4", "lost 5"} {
			if offset, err := acked(ctx, v); err != nil || offset != int64(3+i) {
				return fmt.Errorf("%q was acknowledged at %d, want %d: %w", v, offset, 3+i, err)
			}
		}
		if got := consume(t, c, topic, 6); got[5] != "lost 5" {
			t.Errorf("before the election, consumers see %q", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	leader, e, err := c.Leader(ctx, topic, 0)
	if err != nil || leader == old || e <= epoch {
		t.Errorf("leader is %d in epoch %d and was %d in %d (%v)", leader, e, old, epoch, err)
	}
	if offset, err := acked(ctx, "new 3"); err != nil || offset != 3 {
		t.Errorf("the next record was acknowledged at %d (%v), want 3 again", offset, err)
	}
	waitUntil(t, "min.insync.replicas as it was before", func() error {
		if v, err := c.topicConfig(ctx, topic, "min.insync.replicas"); err != nil || v != "2" {
			return fmt.Errorf("%q (%v)", v, err)
		}
		return nil
	})
	for _, node := range []int{leader, old} {
		if err := c.MoveLeader(ctx, topic, 0, node); err != nil {
			t.Fatal(err)
		}
		if got, want := consume(t, c, topic, 4), []string{"a", "b", "c", "new 3"}; !slices.Equal(got, want) {
			t.Errorf("led by node %d the log is %q, want %q", node, got, want)
		}
	}
}
