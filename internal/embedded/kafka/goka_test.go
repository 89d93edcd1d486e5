package kafka

import (
	"context"
	"io"
	"log"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"
	"github.com/lovoo/goka/storage"
)

// A goka group counts words, is stopped, and counts on from its table after the
// broker was restarted.
func TestGokaRecoversItsTable(t *testing.T) {
	dir := t.TempDir()
	b := mustStart(t, Options{Dir: dir})
	client := mustClient(t, b)
	mustCreate(t, client, "words", 2, nil)
	mustCreate(t, client, "counter-table", 2, map[string]string{"cleanup.policy": "compact"})
	count := func(b *Broker, words int) (last map[string]int64) {
		t.Helper()
		quiet := log.New(io.Discard, "", 0)
		cfg := saramaConfig()
		tm := goka.NewTopicManagerConfig()
		tm.Table.Replication, tm.Stream.Replication = 1, 1
		type update struct {
			key string
			n   int64
		}
		updates := make(chan update, words)
		p, err := goka.NewProcessor(b.Brokers(), goka.DefineGroup("counter",
			goka.Input("words", new(codec.String), func(ctx goka.Context, _ any) {
				n, _ := ctx.Value().(int64)
				ctx.SetValue(n + 1)
				updates <- update{ctx.Key(), n + 1}
			}),
			goka.Persist(new(codec.Int64))),
			goka.WithConsumerGroupBuilder(goka.ConsumerGroupBuilderWithConfig(cfg)),
			goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(saramaConfig())),
			goka.WithProducerBuilder(goka.ProducerBuilderWithConfig(saramaConfig())),
			goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(saramaConfig(), tm)),
			goka.WithStorageBuilder(storage.MemoryBuilder()),
			goka.WithLogger(quiet))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		last = map[string]int64{}
		for range words {
			select {
			case u := <-updates:
				last[u.key] = u.n
			case err := <-done:
				t.Fatalf("the processor ended: %v", err)
			case <-time.After(time.Minute):
				t.Fatal("the processor counts nothing")
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		return last
	}
	words := func(client sarama.Client) {
		for range 3 {
			mustSend(t, client, text("words", "a", ""), text("words", "b", ""))
		}
	}
	words(client)
	if got := count(b, 6); got["a"] != 3 || got["b"] != 3 {
		t.Fatalf("counted %v, want 3 of each", got)
	}
	client.Close()
	b.Stop()
	b = mustStart(t, Options{Dir: dir})
	client = mustClient(t, b)
	words(client)
	if got := count(b, 6); got["a"] != 6 || got["b"] != 6 {
		t.Errorf("after a restart counted %v, want 6 of each", got)
	}
}
