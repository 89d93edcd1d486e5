package auditsarama

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Reporter brings records to the audit topic, with a producer of its own, which
// nobody counts. Close it after the Recorder.
type Reporter struct {
	producer sarama.SyncProducer
	topic    string
	busy     chan struct{} // full while sarama sends, and for ever when it is closed

	closing sync.Once
	closed  chan struct{} // closed when sarama's producer has ended
	err     error         // of that
	wait    time.Duration // for it
}

// closeWait is longer than sarama tries to send in most cases.
const closeWait = 10 * time.Second

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
	return newReporter(producer, topic), nil
}

func newReporter(producer sarama.SyncProducer, topic string) *Reporter {
	return &Reporter{producer: producer, topic: topic, busy: make(chan struct{}, 1), closed: make(chan struct{}), wait: closeWait}
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
	case <-r.closed:
		return sarama.ErrClosedClient
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

// Close ends the producer. It waits for a report that was given up and that sarama is still
// sending, for 10 seconds; if that is not enough, Close returns an error, and the producer
// ends later.
func (r *Reporter) Close() error {
	r.closing.Do(func() {
		go func() {
			r.busy <- struct{}{} // to close under one who sends would make sarama panic
			r.err = r.producer.Close()
			close(r.closed)
		}()
	})
	select {
	case <-r.closed:
		return r.err
	case <-time.After(r.wait):
		return errors.New("auditsarama: reporter: sarama is still sending; it is closed after that")
	}
}

// partitioner puts a record where all of its topic are.
type partitioner struct{}

func (partitioner) Partition(msg *sarama.ProducerMessage, n int32) (int32, error) {
	key, err := msg.Key.Encode()
	return audit.PartitionOf(string(key), n), err
}

func (partitioner) RequiresConsistency() bool { return true }
