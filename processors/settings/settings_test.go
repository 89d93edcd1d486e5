package settings_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/settings"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	return c
}

func open(t *testing.T, c *kafkatest.Cluster, topic string) *settings.Settings {
	t.Helper()
	s, err := settings.Open(t.Context(), c.Brokers(), topic, shards.AskConfig(config()), shards.ProducerConfig(config()), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func topic(t *testing.T, c *kafkatest.Cluster) string {
	name := kafkatest.Name(t, "settings")
	c.MustCreateTopic(t, name, 1, map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"})
	return name
}

func TestTheFirstStartHoldsForEverybody(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		name := topic(t, c)
		id := audit.TopicID{1}
		// Several instances decide at the same moment, with unlike listings.
		const n = 5
		got := make([]*settings.Start, n)
		var wg sync.WaitGroup
		for i := range n {
			s := open(t, c, name)
			wg.Go(func() {
				st, err := s.StartOf(t.Context(), "dc1", map[string]int32{id.String(): int32(i + 1)})
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = st
			})
		}
		wg.Wait()
		late, err := open(t, c, name).StartOf(t.Context(), "dc1", map[string]int32{})
		if err != nil {
			t.Fatal(err)
		}
		for i, st := range append(got, late) {
			if st == nil || !st.Time.Equal(late.Time) || st.Topics[id.String()] != late.Topics[id.String()] {
				t.Errorf("instance %d got %+v, the last one %+v", i, st, late)
			}
		}
		partitions := late.Topics[id.String()]
		if !late.Existed(audit.Source{TopicID: id, Partition: partitions - 1}) || late.Existed(audit.Source{TopicID: id, Partition: partitions}) ||
			late.Existed(audit.Source{TopicID: audit.TopicID{2}}) {
			t.Errorf("what existed is not told apart: %+v", late)
		}
		other, err := open(t, c, name).StartOf(t.Context(), "dc2", map[string]int32{})
		if err != nil || other.Time.Before(late.Time) || len(other.Topics) != 0 {
			t.Errorf("another cluster: %+v, %v", other, err)
		}
	})
}

func TestAddedTopicsAreKnownToAllAndStay(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		name := topic(t, c)
		a, b := open(t, c, name), open(t, c, name)
		for _, topic := range []string{"orders", "clicks", "orders"} {
			if err := a.AddTopic(t.Context(), topic); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{"clicks", "orders"}
		if got := a.Topics(); !slices.Equal(got, want) {
			t.Errorf("who added them: %v", got)
		}
		deadline := time.Now().Add(20 * time.Second)
		for !slices.Equal(b.Topics(), want) {
			if time.Now().After(deadline) {
				t.Fatalf("another instance: %v", b.Topics())
			}
			time.Sleep(10 * time.Millisecond)
		}
		if later := open(t, c, name); !slices.Equal(later.Topics(), want) || !later.Added("orders") || later.Added("payments") {
			t.Errorf("one that starts later: %v", later.Topics())
		}
	})
}

func TestOpenEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	r, w := shards.AskConfig(config()), shards.ProducerConfig(config())
	r.Metadata.Retry.Max, w.Metadata.Retry.Max = 0, 0
	if _, err := settings.Open(ctx, []string{"127.0.0.1:1"}, "none", r, w, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("opened without a broker")
	}
}
