package audittest

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditfranz"
)

var franz = adapter{name: "franz-go", produce: produceFranz, consume: consumeFranz, reporter: reportFranz}

func produceFranz(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), auditfranz.Hooks(r))
	must(t, err)
	defer client.Close()
	errs := make([]error, len(msgs))
	for i, m := range msgs {
		rec := &kgo.Record{Topic: m.topic, Key: m.key, Value: m.value}
		for _, h := range m.headers {
			rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		client.Produce(t.Context(), rec, func(_ *kgo.Record, err error) { errs[i] = err })
	}
	must(t, client.Flush(t.Context()))
	return errs
}

func consumeFranz(t *testing.T, brokers []string, r *audit.Recorder, topic, group string, n int, mark func(delivery) bool) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), auditfranz.Hooks(r), kgo.ConsumeTopics(topic), kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	must(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for n > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(rec *kgo.Record) {
			n--
			if mark(delivery{rec.Partition, rec.Offset}) {
				auditfranz.Processed(r, rec)
			}
		})
	}
	if n != 0 {
		t.Fatalf("%d messages have not come", n)
	}
}

func reportFranz(t *testing.T, brokers []string, topic string) audit.Reporter {
	reporter, err := auditfranz.NewReporter(topic, kgo.SeedBrokers(brokers...))
	must(t, err)
	t.Cleanup(func() { must(t, reporter.Close()) })
	return reporter
}
