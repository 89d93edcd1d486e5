package torture

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

var topicFaults = []*Fault{
	{Name: "topic-created", What: "a topic appears, with messages", lane: topics, least: 100 * time.Millisecond, needs: anywhere, inject: topicCreated},
	{Name: "partitions-added", What: "a topic gets more partitions", lane: topics, least: 100 * time.Millisecond, needs: anywhere, inject: partitionsAdded},
	{Name: "topic-recreated", What: "a topic is deleted and made again under its name", lane: topics, least: time.Second, needs: anywhere, inject: topicRecreated},
	{Name: "retention", What: "messages are deleted before they are counted", lane: topics, least: time.Second, needs: anywhere, inject: retention},
	{Name: "hanging-transaction", What: "a transaction is left open, and holds up all readers", lane: topics, least: 5 * time.Second, needs: anywhere, inject: hangingTransaction},
	{Name: "records-repeated", What: "audit records are said again, out of order", lane: topics, least: 200 * time.Millisecond, needs: anywhere, inject: recordsRepeated},
}

func topicCreated(i *injection) error {
	cluster := i.some(home, away)
	i.w.mu.Lock()
	n := i.w.injected["topic-created"]
	i.w.mu.Unlock()
	t := topic{name: i.w.topicName(fmt.Sprintf("new%d", n)), cluster: cluster, partitions: 1 + i.rng.IntN(5), rate: 30, shape: shape{field: "ts", behind: 20 * time.Second}}
	i.w.say("topic %s appears on %s", t.name, cluster)
	return i.w.traffic.create(i.ctx, t, i.rng.Uint64())
}

func partitionsAdded(i *injection) error {
	name := i.w.topicName("grown")
	n := 0
	for _, t := range i.w.traffic.list() {
		if t.name == name {
			n = t.partitions + 1 + i.rng.IntN(2)
		}
	}
	i.w.say("topic %s gets %d partitions", name, n)
	i.w.traffic.pause(home, name)
	defer i.w.traffic.resume(home, name, n, i.rng.Uint64())
	return i.persist(kerr.InvalidPartitions, func(ctx context.Context) error { return i.w.clusters[home].AddPartitions(ctx, name, n) })
}

// topicRecreated deletes a topic, at once or when it is counted, and makes it
// again. What of the old one was not counted is lost, and nobody may say that it
// was counted.
func topicRecreated(i *injection) error {
	w, name := i.w, i.w.topicName("recreated")
	var t topic
	for _, x := range w.traffic.list() {
		if x.name == name {
			t = x
		}
	}
	w.traffic.pause(t.cluster, name)
	// What was written without an acknowledgement may be counted, too.
	if err := i.persist(nil, func(ctx context.Context) error { return w.reread(ctx, t, recounted{}) }); err != nil {
		return err
	}
	w.say("topic %s is deleted and made again", name)
	w.mu.Lock()
	w.gone[incarnation(audit.Source{Cluster: t.cluster, Topic: name, TopicID: w.traffic.id(t.cluster, name)})] = true
	w.mu.Unlock()
	if err := i.persist(kerr.UnknownTopicOrPartition, func(ctx context.Context) error { return w.clusters[t.cluster].DeleteTopic(ctx, name) }); err != nil {
		return err
	}
	i.wait(time.Duration(i.rng.Float64() * float64(i.hold)))
	return w.traffic.create(i.ctx, t, i.rng.Uint64())
}

// retention deletes messages while nobody can have counted them: all counting
// instances are paused meanwhile. It needs a source that has been counted: one that
// nobody has is begun where its log begins, and nothing is missed of it.
func retention(i *injection) error {
	w, name := i.w, i.w.topicName("dropped")
	partition := i.rng.IntN(2)
	src := audit.Source{Cluster: home, Topic: name, TopicID: w.traffic.id(home, name), Partition: int32(partition)}
	for w.said.upTo(src) < 0 {
		if i.wait(100 * time.Millisecond); i.ctx.Err() != nil {
			return context.Cause(i.ctx)
		}
	}
	w.procs.Lock()
	defer w.procs.Unlock()
	w.say("messages of %s/%d are deleted before they are counted", name, partition)
	var paused []string
	w.mu.Lock()
	for instance := range w.instances {
		if strings.HasPrefix(instance, "count-") {
			paused = append(paused, instance)
		}
	}
	w.mu.Unlock()
	for _, instance := range paused {
		child := w.child(instance)
		child.Signal(syscall.SIGSTOP)
		defer child.Signal(syscall.SIGCONT)
	}
	w.traffic.pause(home, name)
	defer w.traffic.resume(home, name, 2, i.rng.Uint64())
	for _, t := range w.traffic.list() {
		if t.name == name {
			// A fetch that was waiting at the broker is answered with what comes first;
			// what comes then, nobody has asked for.
			w.traffic.burst(t, int32(partition), 1, i.rng.Uint64())
			i.wait(200 * time.Millisecond)
			w.traffic.burst(t, int32(partition), 200, i.rng.Uint64())
			if err := i.persist(nil, func(ctx context.Context) error { return w.reread(ctx, t, recounted{}) }); err != nil {
				return err
			}
		}
	}
	log := w.truth.log(src)
	before := log[len(log)-1-i.rng.IntN(100)].offset
	return i.persist(nil, func(ctx context.Context) error { return w.clusters[home].DeleteRecords(ctx, name, partition, before) })
}

func hangingTransaction(i *injection) error {
	w, name := i.w, i.w.topicName("transactions")
	var client *kgo.Client
	if err := i.persist(nil, func(ctx context.Context) (err error) {
		client, err = i.hang(ctx, name)
		return err
	}); err != nil {
		return err
	}
	defer client.Close()
	w.say("a transaction on %s hangs for %s", name, i.hold.Round(time.Millisecond))
	i.wait(i.hold)
	if i.rng.IntN(3) == 0 {
		w.say("... and is left to its timeout")
		return nil
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(i.ctx), patience)
	defer cancel()
	if err := client.EndTransaction(limit, kgo.TransactionEndTry(i.rng.IntN(2) == 0)); err != nil {
		w.say("... and its producer cannot end it: %v", err) // then its timeout does
	}
	return nil
}

// hang begins a transaction and writes in it.
func (i *injection) hang(ctx context.Context, name string) (*kgo.Client, error) {
	client, err := i.w.traffic.client(i.w.clusters[home], kgo.TransactionalID(fmt.Sprintf("hanging-%x", i.rng.Uint64())), kgo.TransactionTimeout(2*i.hold+10*time.Second))
	if err != nil {
		return nil, err
	}
	if err := client.BeginTransaction(); err != nil {
		client.Close()
		return nil, fmt.Errorf("begin a transaction: %w", err)
	}
	for p := range int32(2) {
		r, _, _ := shape{field: "ts", behind: time.Second}.make(i.rng, name, p, time.Now())
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			client.Close()
			return nil, fmt.Errorf("write in a transaction: %w", err)
		}
	}
	return client, nil
}

// recordsRepeated says records again: in any order, under their key or none.
func recordsRepeated(i *injection) error {
	records := i.w.said.newest()
	i.rng.Shuffle(len(records), func(a, b int) { records[a], records[b] = records[b], records[a] })
	records = records[:min(len(records), 300)]
	i.w.say("%d audit records are said again", len(records))
	client, err := kgo.NewClient(kgo.SeedBrokers(i.w.clusters[home].Brokers()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return fmt.Errorf("say audit records again: %w", err)
	}
	defer client.Close()
	var again []*kgo.Record
	for _, r := range records {
		k := &kgo.Record{Topic: string(i.w.topology.AuditTopic()), Key: r[0], Value: r[1], Partition: i.rng.Int32N(i.w.topology.Partitions)}
		if i.rng.IntN(5) == 0 {
			k.Key = nil
		}
		again = append(again, k)
	}
	return i.persist(nil, func(ctx context.Context) error {
		if err := client.ProduceSync(ctx, again...).FirstErr(); err != nil {
			return fmt.Errorf("say audit records again: %w", err)
		}
		return nil
	})
}
