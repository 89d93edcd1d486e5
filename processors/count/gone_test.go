package count_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/count"
)

// table follows the group table: what compaction would keep of it.
func (w *world) table() (keys func(prefix string) []string) {
	reader, err := kgo.NewClient(kgo.SeedBrokers(w.c.Brokers()...), kgo.ConsumeTopics(string(w.topology.CountTable())))
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	w.t.Cleanup(func() { cancel(); <-done; reader.Close() })
	var mu sync.Mutex
	live := map[string]bool{}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			reader.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				mu.Lock()
				defer mu.Unlock()
				if r.Value == nil {
					delete(live, string(r.Key))
				} else {
					live[string(r.Key)] = true
				}
			})
		}
	}()
	return func(prefix string) (found []string) {
		mu.Lock()
		defer mu.Unlock()
		for k := range live {
			if strings.HasPrefix(k, prefix) {
				found = append(found, k)
			}
		}
		return found
	}
}

func TestSourcesThatAreGoneAreForgotten(t *testing.T) {
	w := newWorld(t, kafkatest.Kfake(t))
	orders, clicks := w.prefix+"orders", w.prefix+"clicks"
	for _, topic := range []string{orders, clicks} {
		must(t, w.c.CreateTopic(t.Context(), topic, 1, nil))
		w.produce(topic, 0, 100)
	}
	var clock atomic.Int64
	clock.Store(time.Now().UnixNano())
	advance := func(d time.Duration) { clock.Add(int64(d)) }
	keys := w.table()
	w.instance(func(o *count.Options) { o.Now = func() time.Time { return time.Unix(0, clock.Load()) } })
	w.agree()
	must(t, w.c.DeleteTopic(t.Context(), orders))

	gone := func() bool {
		for _, k := range keys("c1:" + orders) {
			if strings.Contains(k, "/gone/") {
				return true
			}
		}
		return false
	}
	w.await("a note that the source is gone", func() bool { advance(time.Minute); return gone() })
	if n := len(keys("c1:" + orders)); n < 3 {
		t.Fatalf("%d keys right after the topic went, want ledger, rows and the note", n)
	}
	advance(6 * 24 * time.Hour)
	advance(2 * 24 * time.Hour)
	w.await("its entries to be deleted, all but a ledger", func() bool {
		advance(time.Minute)
		left := keys("c1:" + orders)
		return len(left) == 1 && strings.Contains(left[0], "/L/")
	})
	if len(keys("c1:"+clicks)) == 0 {
		t.Error("the entries of a topic that exists are gone as well")
	}
}

// TestADeletedTopicStaysDeleted: brokers create topics that a client asks for by
// name, unless it says otherwise. The audit must not bring back what its owner
// has deleted.
func TestADeletedTopicStaysDeleted(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		w := newWorld(t, c)
		orders := w.prefix + "orders"
		must(t, c.CreateTopic(t.Context(), orders, 3, nil))
		w.produce(orders, 0, 100)
		// Seldom polled, so that the reader is still open and asks where the topic is.
		w.instance(func(o *count.Options) { o.Poll = 2 * time.Second })
		w.agree()
		w.client.Close()
		must(t, c.DeleteTopic(t.Context(), orders))
		admin, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...))
		must(t, err)
		defer admin.Close()
		// The reader's retries and several polls of the directory fall into this.
		for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			meta, err := kmsg.NewPtrMetadataRequest().RequestWith(t.Context(), admin)
			must(t, err)
			for _, topic := range meta.Topics {
				if *topic.Topic == orders {
					t.Fatal("the topic is back")
				}
			}
		}
	})
}
