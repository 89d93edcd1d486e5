package auditfranz

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// givenUp is how long the client tries to bring a record: the next report says it anew.
const givenUp = 30 * time.Second

// A Reporter brings records to the audit topic, with a client of its own, which nobody
// counts. Close it after the Recorder.
type Reporter struct {
	client *kgo.Client
	topic  string
}

// NewReporter makes a Reporter. The options say how to reach the brokers, such as
// kgo.SeedBrokers; Hooks must not be among them. What concerns safety it sets itself:
// records are acknowledged by all replicas in sync, once each and in order.
func NewReporter(topic string, opts ...kgo.Opt) (*Reporter, error) {
	opts = append(opts[:len(opts):len(opts)],
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.GzipCompression()),
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int { return partitionOf })),
		kgo.RecordDeliveryTimeout(givenUp),
	)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("auditfranz: reporter: %w", err)
	}
	list := reflect.ValueOf(client.OptValue(kgo.WithHooks)) // of a type that kgo does not name
	for i := range list.Len() {
		if _, ok := list.Index(i).Interface().(*hooks); ok {
			client.Close()
			return nil, errors.New("auditfranz: reporter: it would count its own records; leave Hooks out of its options")
		}
	}
	return &Reporter{client, topic}, nil
}

// partitionOf puts a record where all of its topic are.
func partitionOf(rec *kgo.Record, n int) int {
	return int(audit.PartitionOf(string(rec.Key), int32(n)))
}

// Report implements audit.Reporter.
func (r *Reporter) Report(ctx context.Context, records []*audit.Record) error {
	messages := make([]*kgo.Record, len(records))
	for i, record := range records {
		value, err := record.MarshalJSON()
		if err != nil {
			return err
		}
		messages[i] = &kgo.Record{Topic: r.topic, Key: []byte(record.Key()), Value: value}
	}
	// What has been sent the client does not take back when ctx ends, so it is not
	// waited for by ProduceSync. Nor does the client get ctx: what it does for the first
	// record, such as to ask for a producer id, is for all that come after, and would
	// fail them. What is too much for its buffer fails at once, and is said again.
	results := make(chan error, len(messages))
	for _, m := range messages {
		r.client.TryProduce(context.WithoutCancel(ctx), m, func(_ *kgo.Record, err error) { results <- err })
	}
	failed := 0
	var first error
	for range messages {
		select {
		case err := <-results:
			if err != nil {
				if failed++; first == nil {
					first = err
				}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if failed > 0 {
		return fmt.Errorf("auditfranz: %d of %d records are not acknowledged: %w", failed, len(records), first)
	}
	return nil
}

// Close ends the client.
func (r *Reporter) Close() error {
	r.client.Close()
	return nil
}
