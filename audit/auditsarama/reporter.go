package auditsarama

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Reporter brings records to the audit topic, with a producer of its own, which
// nobody counts. Close it after the Recorder.
type Reporter struct {
	producer sarama.SyncProducer
	topic    string
	busy     chan struct{} // full while sarama sends
}

// NewReporter connects a Reporter. Of config it takes how to reach the brokers, and
// leaves it as it is; nil is sarama's default. What concerns safety it sets itself:
// records are acknowledged by all replicas in sync, once each and in order.
func NewReporter(brokers []string, config *sarama.Config, topic string) (*Reporter, error) {
	c := *sarama.NewConfig()
	if config != nil {
		defaults := c.Producer
		c = *config
		c.Producer = defaults
	}
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1 // the second for the first
	c.Producer.Compression = sarama.CompressionLZ4         // gzip takes a megabyte for each batch
	c.Producer.Return.Successes = true
	c.Producer.Partitioner = func(string) sarama.Partitioner { return partitioner{} }
	producer, err := sarama.NewSyncProducer(brokers, &c)
	if err != nil {
		return nil, fmt.Errorf("auditsarama: reporter: %w", err)
	}
	return &Reporter{producer: producer, topic: topic, busy: make(chan struct{}, 1)}, nil
}

// Report implements audit.Reporter.
func (r *Reporter) Report(ctx context.Context, records []*audit.Record) error {
	msgs := make([]*sarama.ProducerMessage, len(records))
	for i, record := range records {
		value, err := record.MarshalJSON()
		if err != nil {
			return err
		}
		msgs[i] = &sarama.ProducerMessage{Topic: r.topic, Key: sarama.StringEncoder(record.Key()), Value: sarama.ByteEncoder(value)}
	}
	// sarama knows no context: it may still be about a report that was given up.
	select {
	case r.busy <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	done := make(chan error, 1)
	go func() {
		done <- r.producer.SendMessages(msgs)
		<-r.busy
	}()
	select {
	case err := <-done:
		return unacknowledged(err, len(records))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// unacknowledged says more of an error than sarama's, which is only a number.
func unacknowledged(err error, of int) error {
	var list sarama.ProducerErrors
	if errors.As(err, &list) && len(list) > 0 {
		return fmt.Errorf("auditsarama: %d of %d records are not acknowledged: %w", len(list), of, list[0])
	}
	return err
}

// Close ends the producer.
func (r *Reporter) Close() error { return r.producer.Close() }

// partitioner puts a record where all of its topic are.
type partitioner struct{}

func (partitioner) Partition(msg *sarama.ProducerMessage, n int32) (int32, error) {
	key, err := msg.Key.Encode()
	return audit.PartitionOf(string(key), n), err
}

func (partitioner) RequiresConsistency() bool { return true }
