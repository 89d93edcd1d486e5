package kafkatest

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Transaction has written, and has not ended: consumers that read what is
// committed stop before it, in each of its partitions. End it, or Abandon it.
type Transaction struct {
	// Offsets of its records, one in each partition.
	Offsets map[int]int64
	client  *kgo.Client
}

// HangingTransaction begins a transaction and writes a record into each of the
// partitions. Kafka aborts it when the timeout is over, looking every ten
// seconds; 0 is 15 minutes, the longest that it grants.
func (c *Cluster) HangingTransaction(ctx context.Context, topic string, timeout time.Duration, partitions ...int) (*Transaction, error) {
	if timeout == 0 {
		timeout = 15 * time.Minute
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID("hanging-"+rand.Text()),
		kgo.TransactionTimeout(timeout), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequestTimeoutOverhead(3*time.Second))
	if err != nil {
		return nil, fmt.Errorf("transaction on %s: %w", topic, err)
	}
	t := &Transaction{Offsets: map[int]int64{}, client: client}
	if err := t.begin(ctx, topic, partitions); err != nil {
		client.Close()
		return nil, fmt.Errorf("transaction on %s: %w", topic, err)
	}
	return t, nil
}

func (t *Transaction) begin(ctx context.Context, topic string, partitions []int) error {
	if err := t.client.BeginTransaction(); err != nil {
		return err
	}
	var records []*kgo.Record
	for _, p := range partitions {
		records = append(records, &kgo.Record{Topic: topic, Partition: int32(p), Value: []byte("of a transaction")})
	}
	for _, r := range t.client.ProduceSync(ctx, records...) {
		if r.Err != nil {
			return fmt.Errorf("partition %d: %w", r.Record.Partition, r.Err)
		}
		t.Offsets[int(r.Record.Partition)] = r.Record.Offset
	}
	return nil
}

// End commits or aborts the transaction. It fails if Kafka has aborted it.
func (t *Transaction) End(ctx context.Context, commit bool) error {
	defer t.client.Close()
	if err := t.client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	return nil
}

// Abandon ends the producer, as if it had been killed, and leaves the
// transaction to Kafka.
func (t *Transaction) Abandon() { t.client.Close() }
