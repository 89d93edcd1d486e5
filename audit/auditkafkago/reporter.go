package auditkafkago

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Reporter brings records to the audit topic, with a Writer of its own, which nobody
// counts. Close it after the Recorder.
type Reporter struct {
	writer kafka.Writer
}

// NewReporter makes a Reporter. The transport says how to reach the brokers, with which
// credentials; nil is kafka-go's default. Records are acknowledged by all replicas in
// sync; kafka-go may write one twice, which is harmless.
func NewReporter(brokers []string, transport kafka.RoundTripper, topic string) (*Reporter, error) {
	if len(brokers) == 0 || topic == "" {
		return nil, errors.New("auditkafkago: reporter: it needs brokers and a topic")
	}
	return &Reporter{kafka.Writer{
		Addr:         kafka.TCP(brokers...),
		Topic:        topic,
		Balancer:     balancer{},
		RequiredAcks: kafka.RequireAll,
		Compression:  kafka.Gzip,
		BatchTimeout: 10 * time.Millisecond,
		MaxAttempts:  3, // the next report says it better
		Transport:    transport,
	}}, nil
}

// Report implements audit.Reporter.
func (r *Reporter) Report(ctx context.Context, records []*audit.Record) error {
	msgs := make([]kafka.Message, len(records))
	for i, record := range records {
		value, err := record.MarshalJSON()
		if err != nil {
			return err
		}
		msgs[i] = kafka.Message{Key: []byte(record.Key()), Value: value}
	}
	err := r.writer.WriteMessages(ctx, msgs...)
	var each kafka.WriteErrors
	if errors.As(err, &each) { // says more than its text, which is a number
		for _, first := range each {
			if first != nil {
				return fmt.Errorf("auditkafkago: %d of %d records are not acknowledged: %w", each.Count(), len(records), first)
			}
		}
	}
	return err
}

// Close ends the Writer.
func (r *Reporter) Close() error { return r.writer.Close() }

// balancer puts a record where all of its topic are.
type balancer struct{}

func (balancer) Balance(m kafka.Message, partitions ...int) int {
	return partitions[audit.PartitionOf(string(m.Key), int32(len(partitions)))]
}
