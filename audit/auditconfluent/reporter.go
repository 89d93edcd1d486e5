package auditconfluent

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Reporter brings records to the audit topic, with a producer of its own, which nobody
// counts. Close it after the Recorder.
type Reporter struct {
	producer *kafka.Producer
	topic    string
}

// NewReporter makes a Reporter. conf says how to reach the brokers, and is left as it
// is. What concerns safety it sets itself: records are acknowledged by all replicas in
// sync, once each and in order.
func NewReporter(conf *kafka.ConfigMap, topic string) (*Reporter, error) {
	own := maps.Clone(*conf)
	maps.Copy(own, kafka.ConfigMap{
		"enable.idempotence":     true,
		"acks":                   "all",
		"compression.type":       "lz4",
		"delivery.timeout.ms":    30_000, // the next report says it anew
		"go.events.channel.size": 1000,
	})
	delete(own, "transactional.id")
	producer, err := kafka.NewProducer(&own)
	if err != nil {
		return nil, fmt.Errorf("auditconfluent: reporter: %w", err)
	}
	go func() { // what concerns no message
		for range producer.Events() {
		}
	}()
	return &Reporter{producer, topic}, nil
}

// Report implements audit.Reporter.
func (r *Reporter) Report(ctx context.Context, records []*audit.Record) error {
	partitions, err := r.partitions(ctx)
	if err != nil {
		return err
	}
	reports := make(chan kafka.Event, len(records))
	for _, record := range records {
		value, err := record.MarshalJSON()
		if err != nil {
			return err
		}
		key := record.Key()
		if err := r.producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &r.topic, Partition: audit.PartitionOf(key, partitions)},
			Key:            []byte(key), Value: value,
		}, reports); err != nil {
			return fmt.Errorf("auditconfluent: report: %w", err)
		}
	}
	failed := 0
	var first error
	for range records {
		select {
		case e := <-reports:
			if m, ok := e.(*kafka.Message); ok && m.TopicPartition.Error != nil {
				if failed++; first == nil {
					first = m.TopicPartition.Error
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if failed > 0 {
		return fmt.Errorf("auditconfluent: %d of %d records are not acknowledged: %w", failed, len(records), first)
	}
	return nil
}

// partitions is how many the topic has. librdkafka's own partitioners do not know ours.
func (r *Reporter) partitions(ctx context.Context) (int32, error) {
	wait := 5 * time.Second
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end))
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	meta, err := r.producer.GetMetadata(&r.topic, false, int(max(wait, time.Millisecond).Milliseconds()))
	if err != nil {
		return 0, fmt.Errorf("auditconfluent: ask for the audit topic: %w", err)
	}
	t := meta.Topics[r.topic]
	if len(t.Partitions) == 0 {
		return 0, fmt.Errorf("auditconfluent: audit topic %s: %w", r.topic, t.Error)
	}
	return int32(len(t.Partitions)), nil
}

// Close ends the producer.
func (r *Reporter) Close() error {
	r.producer.Close()
	return nil
}
