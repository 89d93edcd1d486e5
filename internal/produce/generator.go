package produce

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit/auditsarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Generator writes messages and knows the truth about them. Don't forget to
// Run it, once. The other methods may be called at any time, from any goroutine.
type Generator struct {
	cfg   Config
	shape *shaper
	truth truth
}

// New checks the configuration; nothing is sent before Run.
func New(cfg Config) (*Generator, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	return &Generator{cfg: cfg, shape: newShaper(cfg.Seed, cfg.Field, cfg.PayloadBytes)}, nil
}

// Truth is what has been acknowledged so far, by topic, window and partition.
// It is whole once Run has returned without error; messages in flight are in
// Kafka a moment before they are here.
func (g *Generator) Truth() []TruthRow { return g.truth.list() }

// Acked is how many messages have been acknowledged.
func (g *Generator) Acked() int64 {
	g.truth.mu.Lock()
	defer g.truth.mu.Unlock()
	return g.truth.acked
}

// Uncertain is how many messages Kafka has not acknowledged after all retries.
// They may be there or not, so that the truth is not exact unless it is 0.
func (g *Generator) Uncertain() int64 {
	g.truth.mu.Lock()
	defer g.truth.mu.Unlock()
	return g.truth.uncertain
}

// Run creates topics if asked to and writes until Total, Duration or the end of
// the context, none of which is an error. Then it waits for what is in flight.
// It gives up at the first message that Kafka does not take.
func (g *Generator) Run(ctx context.Context) error {
	cfg := g.cfg.client()
	client, err := sarama.NewClient(g.cfg.Brokers, cfg)
	if err != nil {
		return fmt.Errorf("load generator: connect to %v: %w; is a broker running there?", g.cfg.Brokers, err)
	}
	defer client.Close()
	if err := g.prepare(ctx, client); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("load generator: %w", err)
	}
	var producer sarama.AsyncProducer
	if g.cfg.Recorder != nil {
		producer, err = auditsarama.NewAsyncProducerFromClient(client, g.cfg.Recorder)
	} else {
		producer, err = sarama.NewAsyncProducerFromClient(client)
	}
	if err != nil {
		return fmt.Errorf("load generator: make producer: %w", err)
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if g.cfg.Duration > 0 {
		defer time.AfterFunc(g.cfg.Duration, func() { cancel(nil) }).Stop()
	}
	var failure error
	var acks sync.WaitGroup
	acks.Go(func() {
		for m := range producer.Successes() {
			g.truth.add(g.cfg.Cluster, m.Topic, m.Partition, m.Metadata.(sent), g.cfg.Declared)
		}
	})
	acks.Go(func() {
		for e := range producer.Errors() {
			g.truth.mu.Lock()
			g.truth.uncertain++
			g.truth.mu.Unlock()
			if failure == nil {
				failure = fmt.Errorf("send to %s: %w", e.Msg.Topic, e.Err)
				cancel(failure)
			}
		}
	})
	g.send(ctx, producer)
	producer.AsyncClose()
	acks.Wait()
	if failure != nil {
		return fmt.Errorf("load generator: %w; %d messages are not acknowledged and may be there or not", failure, g.Uncertain())
	}
	return nil
}

// send makes messages when they are due.
func (g *Generator) send(ctx context.Context, producer sarama.AsyncProducer) {
	pace := pacer{rate: g.cfg.Rate, began: g.cfg.Now(), now: g.cfg.Now}
	for i := int64(0); g.cfg.Total == 0 || i < g.cfg.Total; i++ {
		if !pace.wait(ctx, i) {
			return
		}
		select {
		case producer.Input() <- g.message(i):
		case <-ctx.Done():
			return
		}
	}
}

// message makes message i. Times are whole milliseconds, as Kafka keeps them.
func (g *Generator) message(i int64) *sarama.ProducerMessage {
	r := g.shape.rng
	topic := g.cfg.Topics[r.IntN(len(g.cfg.Topics))].Name
	at := g.recordTime(i)
	event := at.Add(-time.Duration(r.Int64N(int64(g.cfg.Disorder/time.Millisecond)+1)) * time.Millisecond)
	k := g.shape.pick(g.cfg.NoTime, g.cfg.Malformed)
	key, value := g.shape.message(topic, k, event)
	counts := event
	if k != timedKind {
		counts = at
	}
	return &sarama.ProducerMessage{
		Topic: topic, Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(value), Timestamp: at,
		Metadata: sent{window: audit.WindowAt(counts.UnixMilli(), int64(g.cfg.WindowSize/time.Second)), bytes: len(key) + len(value), kind: k},
	}
}

func (g *Generator) recordTime(i int64) time.Time {
	if g.cfg.Start.IsZero() {
		return g.cfg.Now().Truncate(time.Millisecond)
	}
	after := time.Duration(i) * time.Millisecond
	if g.cfg.Rate > 0 {
		after = time.Duration(float64(i) / g.cfg.Rate * float64(time.Second))
	}
	return g.cfg.Start.Add(after).Truncate(time.Millisecond)
}

// A pacer spreads messages evenly. After a standstill it catches up with at
// most a second's worth.
type pacer struct {
	rate  float64
	began time.Time // when message 0 was due
	now   func() time.Time
}

// wait waits until message i is due, and is false if the context ends first.
func (p *pacer) wait(ctx context.Context, i int64) bool {
	if p.rate <= 0 {
		return ctx.Err() == nil
	}
	due := p.began.Add(time.Duration(float64(i) / p.rate * float64(time.Second)))
	early := due.Sub(p.now())
	if early < -time.Second {
		p.began = p.began.Add(-early - time.Second)
	}
	// Below a millisecond a timer is not exact; a few messages leave together.
	if early < time.Millisecond {
		return ctx.Err() == nil
	}
	select {
	case <-time.After(early):
		return true
	case <-ctx.Done():
		return false
	}
}

// prepare makes the topics and waits until all partitions have leaders: Kafka
// answers a creation before it leads what was created.
func (g *Generator) prepare(ctx context.Context, client sarama.Client) error {
	created := map[string]bool{} // only of these the number of partitions is ours to say
	if g.cfg.Create {
		admin, err := sarama.NewClusterAdminFromClient(client)
		if err != nil {
			return fmt.Errorf("connect to the controller: %w", err)
		}
		for _, t := range g.cfg.Topics {
			err := admin.CreateTopic(t.Name, &sarama.TopicDetail{NumPartitions: int32(t.Partitions), ReplicationFactor: -1}, false)
			if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
				return fmt.Errorf("create topic %s: %w", t.Name, err)
			}
			created[t.Name] = err == nil
		}
	}
	for _, t := range g.cfg.Topics {
		for {
			least := 1
			if created[t.Name] {
				least = t.Partitions
			}
			err := led(client, t.Name, least)
			if err == nil {
				break
			}
			if errors.Is(err, sarama.ErrUnknownTopicOrPartition) && !g.cfg.Create {
				return fmt.Errorf("topic %s does not exist; create it, or have it created", t.Name)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
				g.cfg.Log.Debug("waiting for the leaders of a topic", "topic", t.Name, "why", err)
			}
		}
	}
	return nil
}

// led says whether a topic has so many partitions, and each a leader that answers.
func led(client sarama.Client, topic string, least int) error {
	if err := client.RefreshMetadata(topic); err != nil {
		return err
	}
	partitions, err := client.Partitions(topic)
	if err != nil {
		return err
	}
	if len(partitions) < least {
		return fmt.Errorf("%d of %d partitions", len(partitions), least)
	}
	for _, p := range partitions {
		if _, err := client.GetOffset(topic, p, sarama.OffsetNewest); err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}
