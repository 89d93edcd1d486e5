package kafkatest

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stable is the end of what consumers of committed records may read.
func stable(t *testing.T, c *Cluster, topic string) int64 {
	t.Helper()
	client, err := c.admin()
	if err != nil {
		t.Fatal(err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	rt, rp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	rp.Timestamp = -1
	rt.Topic, rt.Partitions = topic, append(rt.Partitions, rp)
	req.IsolationLevel, req.Topics = 1, append(req.Topics, rt)
	resp, err := req.RequestWith(within(t), client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
	}
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].Partitions[0].Offset
}

func TestATransactionHangsUntilItEnds(t *testing.T) {
	Both(t, func(t *testing.T, c *Cluster) {
		for _, end := range []string{"committed", "aborted", "abandoned"} {
			t.Run(end, func(t *testing.T) {
				topic := Name(t, "hanging")
				c.MustCreateTopic(t, topic, 2, nil)
				timeout := time.Duration(0)
				if end == "abandoned" {
					timeout = time.Second
				}
				tx, err := c.HangingTransaction(within(t), topic, timeout, 0, 1)
				if err != nil {
					t.Fatal(err)
				}
				if fmt.Sprint(tx.Offsets) != "map[0:0 1:0]" {
					t.Errorf("offsets %v, want 0 in partitions 0 and 1", tx.Offsets)
				}
				if end == "abandoned" {
					tx.Abandon()
				} else {
					if got := stable(t, c, topic); got != 0 {
						t.Errorf("while it hangs, consumers of committed records may read up to %d", got)
					}
					if err := tx.End(within(t), end == "committed"); err != nil {
						t.Fatal(err)
					}
				}
				waitUntil(t, "the transaction to be over", func() error {
					if got := stable(t, c, topic); got != 2 { // behind the marker
						return fmt.Errorf("stable up to %d", got)
					}
					return nil
				})
			})
		}
	})
}
