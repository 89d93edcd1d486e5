package inbox

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func hello(topic, instance string) *audit.Record {
	return &audit.Record{Kind: audit.KindHello, Version: 1, Owner: instance, Client: &audit.ClientCount{},
		Identity: audit.Identity{Tier: "client", Topic: topic, Partition: audit.NoPartition, Instance: instance}}
}

// deploy makes the topics, and an inbox.
func deploy(t *testing.T, c *kafkatest.Cluster, o Options) *Inbox {
	t.Helper()
	o.Topology = processors.DefaultTopology()
	o.Topology.Prefix, o.Topology.Partitions, o.Topology.Shards = kafkatest.Name(t, "inbox"), 4, 1
	o.Connect = []kgo.Opt{kgo.SeedBrokers(c.Brokers()...)}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := shards.EnsureTopics(ctx, c.Brokers(), sarama.NewConfig(), 1, o.Topology.Topics()); err != nil {
		t.Fatal(err)
	}
	i, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.Close)
	return i
}

func TestRecordsComeUnderTheirKeyIntoItsPartition(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		i := deploy(t, c, Options{})
		var records []*audit.Record
		for n := range 20 {
			records = append(records, hello(fmt.Sprint("topic", n), "a"))
		}
		if err := i.Report(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		reader, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.ConsumeTopics(i.topic))
		if err != nil {
			t.Fatal(err)
		}
		defer reader.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		for found := map[string]bool{}; len(found) < len(records); {
			f := reader.PollFetches(ctx)
			if err := f.Err0(); err != nil {
				t.Fatal(err)
			}
			for _, m := range f.Records() {
				r, err := audit.Decode(m.Value)
				if err != nil || r.Key() != string(m.Key) || shards.PartitionOf(r.Key(), 4) != m.Partition {
					t.Errorf("in partition %d under %s: %s, %v", m.Partition, m.Key, m.Value, err)
				}
				found[string(m.Key)] = true
			}
		}
	})
}

func TestNothingIsPromisedWhileKafkaIsAway(t *testing.T) {
	c := kafkatest.Kfake(t)
	h := &health.Registry{}
	i := deploy(t, c, Options{Within: time.Second, Health: h, Bytes: 2000})
	must := func(state health.State, reason string) {
		t.Helper()
		list, _ := h.Reports()
		if list[0].State != state || !strings.Contains(list[0].Reason, reason) {
			t.Errorf("health %+v", list)
		}
	}
	must(health.OK, "")
	if err := i.Report(t.Context(), []*audit.Record{hello("t", "a")}); err != nil {
		t.Fatal(err)
	}
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := i.Report(t.Context(), []*audit.Record{hello("t", "b")}); err == nil {
		t.Error("acknowledged by nobody")
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	must(health.Degraded, "does not acknowledge")

	var many []*audit.Record
	for n := range 100 {
		many = append(many, hello("t", fmt.Sprint(n)))
	}
	if err := i.Report(t.Context(), many); err == nil || !strings.Contains(err.Error(), "too much waits") {
		t.Errorf("beyond the bound: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := i.Report(ctx, []*audit.Record{hello("t", "c")}); err == nil {
		t.Error("acknowledged by nobody")
	}

	if err := c.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		err := i.Report(t.Context(), []*audit.Record{hello("t", "b")})
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	must(health.OK, "")
}

func TestAClientThatCannotBeMadeIsAnError(t *testing.T) {
	if _, err := Open(Options{Within: time.Millisecond}); err == nil {
		t.Error("no error")
	}
}
