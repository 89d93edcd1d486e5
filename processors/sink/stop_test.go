package sink

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// TestAStopSaysWhatItLeaves: the store hangs when what was read is to be written.
func TestAStopSaysWhatItLeaves(t *testing.T) {
	c := kafkatest.Kfake(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	config := func() *sarama.Config {
		c := sarama.NewConfig()
		c.Version = sarama.V2_8_0_0
		c.Consumer.Group.Session.Timeout = 6 * time.Second
		return c
	}
	topology := processors.DefaultTopology()
	topology.Prefix, topology.Partitions = kafkatest.Name(t, "chaperone"), 2
	must(shards.EnsureTopics(t.Context(), c.Brokers(), config(), 1, topology.Topics()))
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(err)
	defer client.Close()
	value := func(n int64) []byte {
		r := &audit.Record{Kind: audit.KindHello, Version: n, Identity: audit.Identity{Tier: "t", Topic: "orders", Partition: audit.NoPartition, Instance: "i"}}
		return r.AppendJSON(nil)
	}
	topic := string(topology.AuditTopic())
	must(client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: value(1)}, &kgo.Record{Topic: topic, Partition: 1, Value: value(2)}).FirstErr())

	s := &store{has: map[int64]int{}, script: func(_ int, batch []*audit.Record) (bool, error) {
		if batch[0].Version > 2 {
			return false, errHang
		}
		return true, nil
	}}
	p := New(Options{Brokers: c.Brokers(), Config: config, Topology: topology, Log: slog.New(slog.DiscardHandler), Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
		Store: s, BatchAge: time.Millisecond, DrainFor: time.Second})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	await := func(what string, ok func() bool) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s", what)
			}
		}
	}
	await("the first two to be written", func() bool { return s.taken(1)+s.taken(2) == 2 })
	must(client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: 1, Value: value(3)}).FirstErr())
	await("the third one to be tried", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.attempts > len(s.sizes) })
	stop()
	err = <-done
	if !errors.Is(err, shards.ErrLeft) || !strings.Contains(err.Error(), "1 records of 1 partitions are not known to be in the store") || !strings.Contains(err.Error(), "partition 1 from offset 2") {
		t.Errorf("it ends with %v", err)
	}
}
