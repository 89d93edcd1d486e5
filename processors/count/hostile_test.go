package count_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/count"
)

// scatter appends messages each of which is in a window of its own.
func (w *world) scatter(topic string, partition int32, n int) {
	w.t.Helper()
	first := time.Now().Add(-time.Duration(n) * windowSize)
	records := make([]*kgo.Record, n)
	for i := range records {
		at := first.Add(time.Duration(i*7919%n) * windowSize) // n is no multiple of 7919
		value := fmt.Sprintf(`{"ts":%d}`, at.UnixMilli())
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value), Timestamp: at}
		k := cell{"c1", topic, partition, audit.WindowAt(at.UnixMilli(), int64(windowSize/time.Second)).Start}
		w.mu.Lock()
		w.truth[k] = tally{count: 1, bytes: uint64(len(value))}
		w.mu.Unlock()
	}
	must(w.t, w.client.ProduceSync(w.t.Context(), records...).FirstErr())
}

func TestScatteredEventTimesCostSegmentsAndPausesNotMessages(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		w := newWorld(t, c)
		hostile, calm := w.prefix+"hostile", w.prefix+"calm"
		must(t, c.CreateTopic(t.Context(), hostile, 3, nil))
		must(t, c.CreateTopic(t.Context(), calm, 1, nil))
		for p := range int32(3) {
			w.scatter(hostile, p, 700)
		}
		w.produce(calm, 0, 500)
		keys := w.table()
		registry := prometheus.NewRegistry()
		w.instance(func(o *count.Options) { o.MaxPending, o.PendingRows, o.Metrics = 300, 200, registry })
		w.agree()
		if value(t, registry, "chaperone_count_pauses_total") == 0 {
			t.Error("no source was paused")
		}
		// What is left is a segment of 3 windows, and a ledger, of each source.
		w.await("all but the open segments to be deleted from the table", func() bool { return len(keys("")) <= 4*(3+1) })
		if rows := value(t, registry, "chaperone_count_rows_open"); rows > 4*3 {
			t.Errorf("%v rows in memory", rows)
		}
		if rows := value(t, registry, "chaperone_count_rows_closed"); rows != 0 {
			t.Errorf("%v rows wait, though all is stored", rows)
		}
	})
}

func TestAStopStoresWhatIsLeftInParts(t *testing.T) {
	w := newWorld(t, kafkatest.Kfake(t))
	orders := w.prefix + "orders"
	const partitions, each = 160, 20
	must(t, w.c.CreateTopic(t.Context(), orders, partitions, nil))
	for p := range int32(partitions) {
		w.produce(orders, p, each)
	}
	registry := prometheus.NewRegistry()
	// Nothing is flushed before the stop but what a shard's first flush finds, and a
	// part has 10 rows of a shard.
	stop := w.instance(func(o *count.Options) {
		o.FlushEvery, o.RowsPerSecond, o.PendingRows, o.DrainFor, o.Metrics = time.Minute, 1, 10*int(w.topology.Shards), time.Minute, registry
	})
	w.await("all to be read", func() bool { return value(t, registry, "chaperone_count_messages_total") == partitions*each })
	stop()
	w.agree()
	if rows, flushes := value(t, registry, "chaperone_count_rows_total"), value(t, registry, "chaperone_count_flush_seconds"); flushes < rows/13 {
		t.Errorf("%v rows were stored in %v flushes", rows, flushes)
	}
}

// value reads a counter, a gauge, or how many values a histogram has.
func value(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
