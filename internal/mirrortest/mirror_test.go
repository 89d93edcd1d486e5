package mirrortest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

func TestMain(m *testing.M) {
	clickhouse.RunChildIfAsked()
	os.Exit(m.Run())
}

const (
	topic      = "orders"
	partitions = 2
)

// place is where messages count: by tier and partition, over windows and regions.
type place struct {
	tier      string
	partition int32
}

// world is the pipeline, and what has to be on it.
type world struct {
	t       *testing.T
	ctx     context.Context
	regions map[string]*kafkatest.Cluster
	target  *kafkatest.Cluster
	mirror  *kafkatest.Mirror
	rest    *client.Client
	begin   time.Time
	sent    int
}

// What MirrorMaker 2 copies is counted the same before and behind it; what it loses,
// because the log was purged while it was away, shows as missing, at the partition where
// it was; and what it copies twice, because it was killed, shows as more.
func TestWhatAMirrorLosesAndRepeatsShows(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Apache Kafka")
	}
	w := start(t)
	w.send(300)
	w.agree("all was copied", map[place]uint64{{"regional", 0}: 300, {"regional", 1}: 300, {"aggregate", 0}: 300, {"aggregate", 1}: 300})

	// SIGTERM doubles nothing. While it is away, part of what it has not seen is purged
	// in the west: offsets 150 to 199 of partition 0.
	w.must(w.mirror.Stop())
	w.send(100)
	w.await("the regional clusters are counted", func() bool { return w.said()[place{"regional", 0}] == 400 })
	w.must(w.regions["west"].DeleteRecords(w.ctx, topic, 0, 200))
	w.must(w.mirror.Restart())
	w.agree("fifty are missing in partition 0", map[place]uint64{{"regional", 0}: 400, {"regional", 1}: 400, {"aggregate", 0}: 350, {"aggregate", 1}: 400})

	// SIGKILL copies again what it had not noted yet. How much that is, the log says.
	w.must(w.mirror.Kill())
	w.must(w.mirror.Restart())
	w.send(50)
	w.await("the mirror goes on", func() bool { return w.said()[place{"aggregate", 1}] >= 450 })
	w.settle()
	onLog := w.recount()
	if said := w.said(); said[place{"aggregate", 0}] != onLog[0] || said[place{"aggregate", 1}] != onLog[1] || said[place{"regional", 0}] != 450 || said[place{"regional", 1}] != 450 {
		t.Errorf("said %v; on the aggregate's log are %v", said, onLog)
	}
	t.Logf("after SIGKILL: 450 messages in partition 1 of the regional clusters, %d in that of the aggregate", onLog[1])
}

func start(t *testing.T) *world {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	w := &world{t: t, ctx: ctx, regions: map[string]*kafkatest.Cluster{}, begin: time.Now().Add(-time.Hour)}
	cluster := func() *kafkatest.Cluster {
		c, err := kafkatest.Start(ctx, kafkatest.Options{Heap: "256m"})
		w.must(err)
		t.Cleanup(c.Close)
		c.MustCreateTopic(t, topic, partitions, map[string]string{"retention.ms": "-1"})
		return c
	}
	w.target = cluster()
	cfg := config.Default()
	cfg.Clusters = []config.Cluster{{Name: "aggregate", Tier: "aggregate", Kafka: config.Kafka{Brokers: w.target.Brokers()}}}
	mirror := kafkatest.MirrorOptions{From: map[string][]string{}, To: w.target.Brokers(), Topics: []string{topic}}
	for _, name := range []string{"west", "east"} {
		c := cluster()
		w.regions[name], mirror.From[name] = c, c.Brokers()
		cfg.Clusters = append(cfg.Clusters, config.Cluster{Name: name, Tier: "regional", Datacenter: name, Kafka: config.Kafka{Brokers: c.Brokers()}})
	}
	cfg.Topics.Include, cfg.Topics.Poll = []string{topic}, time.Second
	cfg.Store.Kind, cfg.HTTP.Addr, cfg.Audit.Shards, cfg.Audit.Partitions = config.Memory, "127.0.0.1:0", 4, 2
	a, err := app.New(ctx, app.Options{Config: &cfg, Parts: app.All(), Standalone: true, Version: "test", Log: slog.New(slog.DiscardHandler), Progress: io.Discard})
	w.must(err)
	ended := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { ended <- a.Run(running) }()
	t.Cleanup(func() { stop(); <-ended })
	w.rest, err = client.New("http://"+a.Addr(), nil)
	w.must(err)
	w.mirror, err = kafkatest.StartMirror(ctx, mirror)
	w.must(err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.mirror.Log())
		}
		w.mirror.Close()
	})
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// send writes so many messages to each partition, half of them in each region.
func (w *world) send(n int) {
	w.t.Helper()
	for name, c := range w.regions {
		producer, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		w.must(err)
		for i := range n / 2 {
			for p := range int32(partitions) {
				at := time.Now().UnixMilli()
				producer.Produce(w.ctx, &kgo.Record{Topic: topic, Partition: p, Value: fmt.Appendf(nil, `{"ts":%d,"from":%q,"n":%d}`, at, name, w.sent+i), Timestamp: time.UnixMilli(at)},
					func(_ *kgo.Record, err error) {
						if err != nil {
							w.t.Error(err)
						}
					})
			}
		}
		w.must(producer.Flush(w.ctx))
		producer.Close()
	}
	w.sent += n / 2
}

// said is what chaperone says, by REST.
func (w *world) said() map[place]uint64 {
	answer, err := w.rest.Windows(w.ctx, topic, client.Query{Span: client.Span{From: w.begin, To: time.Now().Add(time.Hour)}, By: []string{"cluster", "partition"}})
	if err != nil {
		return nil // it is starting
	}
	sum := map[place]uint64{}
	for _, r := range answer.Rows {
		if r.Partition != nil {
			sum[place{r.Tier, *r.Partition}] += r.Count
		}
	}
	return sum
}

func (w *world) agree(what string, want map[place]uint64) {
	w.t.Helper()
	w.await(what, func() bool { return maps.Equal(w.said(), want) })
}

func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(300 * time.Millisecond) {
		if time.Since(begin) > 150*time.Second || w.ctx.Err() != nil {
			w.t.Fatalf("waited in vain until %s: said %v", what, w.said())
		}
	}
}

// settle waits until the mirror has brought nothing for a while, and all of that is
// counted.
func (w *world) settle() {
	w.t.Helper()
	last, since := w.recount(), time.Now()
	for time.Since(since) < 15*time.Second {
		time.Sleep(time.Second)
		if now := w.recount(); now != last {
			last, since = now, time.Now()
		}
	}
	w.await("the aggregate is counted", func() bool {
		said := w.said()
		return said[place{"aggregate", 0}] == last[0] && said[place{"aggregate", 1}] == last[1]
	})
}

// recount is how many messages are on the aggregate's log, by its own offsets: nothing
// there is compacted or transactional.
func (w *world) recount() (n [partitions]uint64) {
	w.t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(w.target.Brokers()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	w.must(err)
	defer reader.Close()
	for {
		ctx, cancel := context.WithTimeout(w.ctx, 1500*time.Millisecond)
		fetches := reader.PollFetches(ctx)
		cancel()
		if fetches.NumRecords() == 0 {
			return n
		}
		fetches.EachRecord(func(r *kgo.Record) { n[r.Partition]++ })
	}
}
