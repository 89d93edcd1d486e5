package collect_test

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
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Consumer.Group.Session.Timeout = 6 * time.Second
	return c
}

// TestAStopSaysWhatItLeaves: the broker is away when what was collected is to be
// stored.
func TestAStopSaysWhatItLeaves(t *testing.T) {
	c := kafkatest.Kfake(t)
	topology := processors.DefaultTopology()
	topology.Prefix, topology.Partitions = kafkatest.Name(t, "chaperone"), 2
	must(t, shards.EnsureTopics(t.Context(), c.Brokers(), config(), 1, topology.Topics()))
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	must(t, err)
	defer client.Close()
	partition := int32(0)
	for n := range int64(7) {
		r := &audit.Record{Kind: audit.KindWindow, Owner: "o", Version: n,
			Identity: audit.Identity{Tier: "t", Cluster: "c", Topic: "orders", Partition: int32(n), Window: audit.Window{Start: time.Now().Unix() / 600 * 600, Size: 600}},
			Tally:    &audit.WindowTally{First: 0, Last: n}}
		partition = shards.PartitionOf(r.Key(), topology.Partitions)
		must(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: string(topology.AuditTopic()), Partition: partition, Key: []byte(r.Key()), Value: r.AppendJSON(nil)}).FirstErr())
	}

	metrics := prometheus.NewRegistry()
	p := collect.New(collect.Options{Brokers: c.Brokers(), Config: config, Topology: topology, Log: slog.New(slog.DiscardHandler), Health: &health.Registry{}, Metrics: metrics,
		FlushEvery: time.Hour, DrainFor: 2 * time.Second})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	collected := func() (n float64) {
		families, err := metrics.Gather()
		must(t, err)
		for _, f := range families {
			if f.GetName() == "chaperone_collect_records_total" {
				for _, m := range f.Metric {
					n += m.GetCounter().GetValue()
				}
			}
		}
		return n
	}
	for deadline := time.Now().Add(time.Minute); collected() < 7; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v of 7 records are collected", collected())
		}
	}
	must(t, c.Stop())
	stop()
	err = <-done
	if !errors.Is(err, shards.ErrLeft) {
		t.Fatalf("it ends with %v", err)
	}
	want := []string{"nothing is lost", "7 changes of 1 partitions are not stored", "partition 0 from offset 0", "partition 1 from offset 0"}
	want = append(want[:2], want[2+partition])
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
