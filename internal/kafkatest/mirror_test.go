package kafkatest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMirrorBringsTwoClustersTogether(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Apache Kafka")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	from := map[string][]string{}
	var to []string
	for _, name := range []string{"west", "east", "aggregate"} {
		c, err := Start(ctx, Options{Heap: "256m"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if name == "aggregate" {
			to = c.Brokers()
			continue
		}
		from[name] = c.Brokers()
		c.MustCreateTopic(t, "orders", 2, map[string]string{"retention.ms": "-1"})
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 200 {
			client.Produce(ctx, &kgo.Record{Topic: "orders", Partition: int32(i % 2), Value: fmt.Append(nil, name, i), Timestamp: time.UnixMilli(1_795_285_200_000)}, nil)
		}
		if err := client.Flush(ctx); err != nil {
			t.Fatal(err)
		}
		client.Close()
	}
	m, err := StartMirror(ctx, MirrorOptions{From: from, To: to, Topics: []string{"orders"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.Log())
		}
		m.Close()
	})
	reader, err := kgo.NewClient(kgo.SeedBrokers(to...), kgo.ConsumeTopics("orders"), kgo.MetadataMinAge(100*time.Millisecond), kgo.UnknownTopicRetries(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	seen := map[string]int{}
	for len(seen) < 400 && ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			seen[string(r.Value)]++
			if r.Timestamp.UnixMilli() != 1_795_285_200_000 {
				t.Errorf("%s has another timestamp, %s", r.Value, r.Timestamp)
			}
		})
	}
	if len(seen) != 400 {
		t.Fatalf("%d messages of 400 have come: %v", len(seen), ctx.Err())
	}
}
