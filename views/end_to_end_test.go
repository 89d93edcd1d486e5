package views_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/processors/sink"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
	"github.com/chaperone-audit/chaperone/sinks/memory"
	"github.com/chaperone-audit/chaperone/views"
)

// patience is how long a condition may take on a busy machine.
const patience = 90 * time.Second

// deployment is what runs in a test: the processors over one cluster.
type deployment struct {
	t        *testing.T
	cluster  *kafkatest.Cluster
	topology processors.Topology
	producer sarama.SyncProducer
	log      *slog.Logger
}

func deploy(t *testing.T, c *kafkatest.Cluster) *deployment {
	t.Helper()
	d := &deployment{t: t, cluster: c, topology: processors.DefaultTopology(), log: slog.New(slog.DiscardHandler)}
	d.topology.Prefix, d.topology.Shards, d.topology.Partitions = kafkatest.Name(t, "e2e"), 1, 4
	if err := shards.EnsureTopics(t.Context(), c.Brokers(), d.config(), 1, d.topology.Topics()); err != nil {
		t.Fatal(err)
	}
	config := shards.ProducerConfig(d.config())
	config.Producer.Partitioner = sarama.NewCustomHashPartitioner(shards.NewHasher)
	p, err := sarama.NewSyncProducer(c.Brokers(), config)
	if err != nil {
		t.Fatal(err)
	}
	d.producer = p
	t.Cleanup(func() { p.Close() })
	return d
}

func (d *deployment) config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	return c
}

// run runs something until the function that it gives is called, or the test ends.
func (d *deployment) run(f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := f(ctx); err != nil {
			d.t.Errorf("ended with %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	d.t.Cleanup(stop)
	return stop
}

func (d *deployment) collect() (*collect.Processor, func()) {
	p := collect.New(collect.Options{
		Brokers: d.cluster.Brokers(), Config: d.config, Topology: d.topology, Log: d.log, Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
		FlushEvery: 50 * time.Millisecond,
	})
	return p, d.run(p.Run)
}

func (d *deployment) sink(s sinks.Sink) (*sink.Processor[*audit.Record], func()) {
	p := sink.New(sink.Options{
		Brokers: d.cluster.Brokers(), Config: d.config, Topology: d.topology, Log: d.log, Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
		Store: s, BatchAge: 50 * time.Millisecond, RetryAfter: 5 * time.Millisecond, RetryAtMost: 20 * time.Millisecond,
	})
	return p, d.run(p.Run)
}

func (d *deployment) views() (*views.Sources, func()) {
	v := views.New(views.Options{
		Brokers: d.cluster.Brokers(), Config: d.config, Topology: d.topology, Log: d.log, Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
	})
	return v, d.run(v.Run)
}

func (d *deployment) produce(msgs ...*sarama.ProducerMessage) {
	d.t.Helper()
	for _, m := range msgs {
		m.Topic = string(d.topology.AuditTopic())
	}
	if err := d.producer.SendMessages(msgs); err != nil {
		d.t.Fatal(err)
	}
}

func keyed(r *audit.Record) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Key: sarama.StringEncoder(r.Key()), Value: sarama.ByteEncoder(r.AppendJSON(nil))}
}

func keyless(value []byte) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Value: sarama.ByteEncoder(value)}
}

// await waits for a condition; not says what is lacking, empty for nothing.
func (d *deployment) await(not func() string) {
	d.t.Helper()
	end := time.Now().Add(patience)
	for {
		lack := not()
		if lack == "" {
			return
		}
		if time.Now().After(end) {
			d.t.Fatalf("waited %s: %s", patience, lack)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// ends are the ends of a topic that has the partitions of the audit topic.
func (d *deployment) ends(topic string) map[int32]int64 {
	client, err := sarama.NewClient(d.cluster.Brokers(), d.config())
	if err != nil {
		d.t.Fatal(err)
	}
	defer client.Close()
	ends := map[int32]int64{}
	for p := range d.topology.Partitions {
		if ends[p], err = client.GetOffset(topic, p, sarama.OffsetNewest); err != nil {
			d.t.Fatal(err)
		}
	}
	return ends
}

// committed are the positions of a group, -1 for none.
func (d *deployment) committed(group string) map[int32]int64 {
	admin, err := sarama.NewClusterAdmin(d.cluster.Brokers(), d.config())
	if err != nil {
		d.t.Fatal(err)
	}
	defer admin.Close()
	topic, partitions := string(d.topology.AuditTopic()), []int32{}
	for p := range d.topology.Partitions {
		partitions = append(partitions, p)
	}
	resp, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: partitions})
	if err != nil {
		d.t.Fatal(err)
	}
	at := map[int32]int64{}
	for _, p := range partitions {
		at[p] = -1
		if b := resp.GetBlock(topic, p); b != nil {
			at[p] = b.Offset
		}
	}
	return at
}

// start of the windows: the present, since the broker stamps the records.
var start = time.Now().Unix() / 600 * 600

func window(topic string, partition int32, i, version int64) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindWindow, Owner: fmt.Sprint("counter", version%2), Version: version,
		Identity: audit.Identity{Tier: "regional", Datacenter: "d", Cluster: "c", Topic: topic, Partition: partition, Window: audit.Window{Start: start - 600*i, Size: 600}},
		Tally:    &audit.WindowTally{First: 0, Last: version},
	}
	r.Tally.Count, r.Tally.Bytes = uint64(version)+1, 100*uint64(version)
	return r
}

func originalJSON(topic string, n int) []byte {
	return fmt.Appendf(nil, `{"uuid":"6ba7b810-9dad-11d1-80b4-00c04fd4%04d","timeBeginInSec":%d.0,"timeEndInSec":%d.0,"topicName":%q,"hostname":"h","tier":"client","datacenter":"d","count":5,"totalBytes":50}`,
		n, start, start+600, topic)
}

// batch is one version of every window of three topics; some come without key.
func batch(version int64) (msgs []*sarama.ProducerMessage) {
	for _, topic := range topics {
		for partition := range int32(3) {
			for i := range int64(5) {
				r := window(topic, partition, i, version)
				if (int64(partition)+i+version)%7 == 0 {
					msgs = append(msgs, keyless(r.AppendJSON(nil)))
				} else {
					msgs = append(msgs, keyed(r))
				}
			}
		}
	}
	return msgs
}

var topics = []string{"orders", "a/b", "payments"}

// want are the rows that a version of the batch, and so many records of the
// original for each topic, make.
func want(topic string, version uint64, originals uint64) map[string]uint64 {
	w := map[string]uint64{}
	for i := range int64(5) {
		w[fmt.Sprintf("regional %d", start-600*i)] = 3 * (version + 1)
	}
	if originals > 0 {
		w[fmt.Sprintf("client %d", start)] = 5 * originals
	}
	return w
}

// differs asks a source for the counts of a topic.
func differs(s query.Source, topic string, want map[string]uint64) string {
	rows, err := s.Windows(context.Background(), query.Windows{Topic: topic, From: 0, To: start + 600})
	if err != nil {
		return err.Error()
	}
	got := map[string]uint64{}
	for _, r := range rows {
		got[fmt.Sprintf("%s %d", r.Tier, r.Start)] = r.Count
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("topic %s has %v, want %v", topic, got, want)
	}
	return ""
}

func TestRecordsReachViewsAndStoreAcrossRestarts(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		d, store := deploy(t, c), memory.New(memory.Options{})
		v, stopViews := d.views()
		_, stopCollect := d.collect()
		_, stopSink := d.sink(store)
		agree := func(version, originals uint64) {
			t.Helper()
			for _, s := range []query.Source{v, store} {
				for _, topic := range topics {
					d.await(func() string { return differs(s, topic, want(topic, version, originals)) })
				}
			}
		}

		d.produce(batch(1)...)
		for _, topic := range topics {
			d.produce(keyless(originalJSON(topic, 1)), keyless(originalJSON(topic, 1))) // twice the same
		}
		d.produce(keyless([]byte("no record")))
		agree(1, 1)

		stopCollect()
		stopSink()
		d.produce(batch(3)...)
		d.produce(batch(2)...) // late
		_, stopCollect = d.collect()
		_, stopSink = d.sink(store)
		for _, topic := range topics {
			d.produce(keyless(originalJSON(topic, 2)))
		}
		agree(3, 2)

		p := &audit.Record{
			Kind: audit.KindProgress, Physical: "west.orders", Owner: "counter1", Host: "h1", Version: 4,
			Identity: audit.Identity{Tier: "regional", Datacenter: "d", Cluster: "c", Topic: "orders", Partition: audit.NoPartition, Instance: "counter1"},
			Progress: &audit.Progress{Partitions: 3, Sources: []audit.SourceProgress{{Partition: 2, Next: 9, LogStart: -1, End: 10, HighWatermark: 12, CaughtUp: audit.CaughtUpNo}}},
		}
		m := &audit.Record{
			Kind: audit.KindMissed, Owner: "counter1", Version: 20,
			Identity: audit.Identity{Tier: "regional", Datacenter: "d", Cluster: "c", Topic: "orders", Partition: 1, Generation: 20},
			Missed:   &audit.Missed{From: 10, To: 20, Reason: audit.MissedRetention},
		}
		d.produce(keyed(p), keyed(m))
		check := func() {
			t.Helper()
			d.await(func() string {
				progress, err := v.Progress(context.Background(), "orders")
				if err != nil || len(progress) != 1 {
					return fmt.Sprintf("progress %+v, %v", progress, err)
				}
				missed, err := v.Missed(context.Background(), "")
				if err != nil || len(missed) != 1 {
					return fmt.Sprintf("missed %+v, %v", missed, err)
				}
				if g := progress[0]; g.Source.Partition != 2 || g.Next != 9 || g.End != 10 || g.Host != "h1" || g.Physical != "west.orders" || g.Partitions != 3 || time.Since(g.AsOf) > time.Hour {
					t.Fatalf("progress %+v", g)
				}
				if g := missed[0]; g.Source.Partition != 1 || g.From != 10 || g.To != 20 || g.Generation != 20 {
					t.Fatalf("missed %+v", g)
				}
				return ""
			})
		}
		check()

		// What a new view reads is the compacted state, and the same.
		stopViews()
		v, _ = d.views()
		d.await(func() string {
			if !v.Ready() {
				return "the view is not ready"
			}
			return ""
		})
		agree(3, 2)
		check()
		from, to := v.Horizon(), start+600
		if from <= start-7*3600 || from >= start {
			t.Errorf("horizon %d is not some 6 hours before %d", from, start)
		}
		got, err := v.Topics(t.Context(), from, to)
		if err != nil {
			t.Fatal(err)
		}
		history, err := store.Topics(t.Context(), from, to)
		if err != nil || !reflect.DeepEqual(got, history) {
			t.Errorf("topics of the view\n%+v\nand of the store\n%+v, %v", got, history, err)
		}
		committed := func() string { // everything, and nothing beyond
			ends, collected, sunk := d.ends(string(d.topology.AuditTopic())), d.committed(string(d.topology.CollectGroup())), d.committed(string(d.topology.SinkGroup()))
			for p, end := range ends {
				if end > 0 && (collected[p] != end || sunk[p] != end) {
					return fmt.Sprintf("partition %d: end %d, collected %d, sunk %d", p, end, collected[p], sunk[p])
				}
			}
			return ""
		}
		d.await(committed)

		// A session that begins behind all that was stored stores none of it anew.
		stopCollect()
		stored := d.ends(string(d.topology.CollectTable()))
		_, stopCollect = d.collect()
		for n := range 32 {
			d.produce(&sarama.ProducerMessage{Key: sarama.StringEncoder(fmt.Sprint("key", n)), Value: sarama.StringEncoder("no record")})
		}
		d.await(committed)
		if now := d.ends(string(d.topology.CollectTable())); !reflect.DeepEqual(now, stored) {
			t.Errorf("the table ended at %v, and at %v after a restart", stored, now)
		}
		stopCollect()
		stopSink()
	})
}

// stumbling is a store that is away until it is let in, and rejects one host.
type stumbling struct {
	*memory.Sink
	up       atomic.Bool
	attempts atomic.Int64
}

func (s *stumbling) Write(ctx context.Context, batch []*audit.Record) error {
	s.attempts.Add(1)
	if !s.up.Load() {
		return errors.New("no route to host")
	}
	for _, r := range batch {
		if r.Host == "poison" {
			return fmt.Errorf("hostname: %w", sinks.ErrRejected)
		}
	}
	return s.Sink.Write(ctx, batch)
}

func TestNothingIsCommittedBeforeTheStoreHasIt(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		d := deploy(t, c)
		store := &stumbling{Sink: memory.New(memory.Options{})}
		p, _ := d.sink(store)
		bad := window("orders", 0, 0, 99)
		bad.Host = "poison"
		d.produce(batch(1)...)
		d.produce(keyed(bad), keyless([]byte("no record")))
		d.await(func() string {
			if store.attempts.Load() < 3 {
				return "the store is not asked again"
			}
			return ""
		})
		for partition, at := range d.committed(string(d.topology.SinkGroup())) {
			if at > 0 {
				t.Errorf("offset %d of partition %d is committed with nothing in the store", at, partition)
			}
		}
		store.up.Store(true)
		ends := d.ends(string(d.topology.AuditTopic()))
		d.await(func() string {
			for partition, at := range d.committed(string(d.topology.SinkGroup())) {
				if ends[partition] > 0 && at != ends[partition] {
					return fmt.Sprintf("partition %d is committed up to %d of %d", partition, at, ends[partition])
				}
			}
			return ""
		})
		for _, topic := range topics {
			if lack := differs(store, topic, want(topic, 1, 0)); lack != "" {
				t.Error(lack)
			}
		}
		if items, total := p.Aside(); total != 2 {
			t.Errorf("set aside are %+v, want the poison and what is no record", items)
		}
	})
}
