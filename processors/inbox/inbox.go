// Package inbox brings the records of applications onto the audit topic, for those who
// take them in by another way than Kafka.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// Options of an Inbox. Connect and Topology must be set.
type Options struct {
	Connect  []kgo.Opt // to the audit cluster
	Topology processors.Topology
	Health   *health.Registry // nil: nobody asks
	// Bytes bounds what waits for an acknowledgement, overriding the default of 64 MiB.
	// Beyond it records are refused at once.
	Bytes int
	// Within is how long an acknowledgement is waited for, overriding the default of 10s.
	// Whoever reports comes again, so that longer would only make a queue.
	Within time.Duration
}

// An Inbox writes records under their key into the partition of the audit topic in which
// collect looks for it. Safe for concurrent use. Don't forget to Close it.
type Inbox struct {
	client     *kgo.Client
	topic      string
	partitions int32
	within     time.Duration
	health     *health.Part
}

// Open makes an Inbox. It connects when there is something to write.
func Open(o Options) (*Inbox, error) {
	if o.Bytes == 0 {
		o.Bytes = 64 << 20
	}
	if o.Within == 0 {
		o.Within = 10 * time.Second
	}
	// Idempotent, with acknowledgements of all replicas in sync: the client's defaults.
	client, err := kgo.NewClient(append(o.Connect,
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.MaxBufferedRecords(math.MaxInt32), // bytes are what counts
		kgo.MaxBufferedBytes(o.Bytes),
		kgo.RecordDeliveryTimeout(o.Within),
	)...)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	i := &Inbox{client: client, topic: string(o.Topology.AuditTopic()), partitions: o.Topology.Partitions, within: o.Within}
	if o.Health != nil {
		i.health = o.Health.Part("inbox")
		i.health.OK()
	}
	return i, nil
}

// Report returns nil when the audit cluster has acknowledged all records. After an error
// any of them may be there, or come yet, which is harmless: see audit.Reporter.
func (i *Inbox) Report(ctx context.Context, records []*audit.Record) error {
	waiting, cancel := context.WithTimeoutCause(ctx, i.within, fmt.Errorf("no answer within %s", i.within))
	defer cancel()
	acks := make(chan error, len(records))
	for _, r := range records {
		key := r.Key()
		// Not with ctx: where one record of a batch is given up all of it is, and the
		// others are of callers who still wait.
		i.client.TryProduce(context.WithoutCancel(ctx), &kgo.Record{
			Topic: i.topic, Key: []byte(key), Value: r.AppendJSON(nil), Partition: shards.PartitionOf(key, i.partitions),
		}, func(_ *kgo.Record, err error) { acks <- err })
	}
	var err error
	for range records {
		select {
		case e := <-acks:
			err = e
		case <-waiting.Done():
			err = context.Cause(waiting)
		}
		if err != nil {
			break
		}
	}
	switch {
	case err == nil:
		i.health.OK()
		return nil
	case errors.Is(err, kgo.ErrMaxBuffered):
		err = errors.New("too much waits already")
	}
	if ctx.Err() == nil { // else it may be the caller's
		i.health.Degraded(fmt.Sprintf("the audit cluster does not acknowledge the records that applications report, which they keep and report again: %v", err))
	}
	return fmt.Errorf("records are not acknowledged by the audit cluster: %w", err)
}

// Close gives up what is not acknowledged.
func (i *Inbox) Close() { i.client.Close() }
