package audittest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditkafkago"
)

var (
	kafkago      = adapter{name: "kafka-go", produce: produceKafkago, consume: consumeKafkago, reporter: reportKafkago, blind: true}
	kafkagoAsync = adapter{name: "kafka-go async", produce: produceKafkagoAsync, consume: readKafkago, reporter: reportKafkago, blind: true}
)

func kafkagoMessages(msgs []message) []kafka.Message {
	list := make([]kafka.Message, len(msgs))
	for i, m := range msgs {
		list[i] = kafka.Message{Topic: m.topic, Key: m.key, Value: m.value, WriterData: i}
		for _, h := range m.headers {
			list[i].Headers = append(list[i].Headers, kafka.Header{Key: h.Key, Value: h.Value})
		}
	}
	return list
}

func kafkagoWriter(brokers []string) *kafka.Writer {
	return &kafka.Writer{
		Addr: kafka.TCP(brokers...), RequiredAcks: kafka.RequireAll, BatchTimeout: 5 * time.Millisecond,
		WriteBackoffMin: 10 * time.Millisecond, WriteBackoffMax: 100 * time.Millisecond,
		Transport: &kafka.Transport{MetadataTTL: 100 * time.Millisecond},
	}
}

func produceKafkago(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	w := auditkafkago.NewWriter(kafkagoWriter(brokers), r)
	errs := make([]error, len(msgs))
	for i := 0; i < len(msgs); {
		// One that is too large is alone: kafka-go refuses all that come with it.
		n := 1
		for len(msgs[i].value) < 1<<20 && n < 20 && i+n < len(msgs) && len(msgs[i+n].value) < 1<<20 {
			n++
		}
		err := w.WriteMessages(t.Context(), kafkagoMessages(msgs[i:i+n])...)
		var each kafka.WriteErrors
		if errors.As(err, &each) {
			copy(errs[i:], each)
		} else {
			for j := range n {
				errs[i+j] = err
			}
		}
		i += n
	}
	must(t, w.Close())
	return errs
}

func produceKafkagoAsync(t *testing.T, brokers []string, r *audit.Recorder, msgs []message) []error {
	under := kafkagoWriter(brokers)
	errs := make([]error, len(msgs))
	var mu sync.Mutex
	outcomes := 0
	under.Async, under.Completion = true, func(done []kafka.Message, err error) {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range done {
			errs[m.WriterData.(int)] = err
			outcomes++
		}
	}
	w := auditkafkago.NewWriter(under, r)
	for i, m := range kafkagoMessages(msgs) {
		if err := w.WriteMessages(t.Context(), m); err != nil {
			mu.Lock()
			errs[i] = err
			outcomes++
			mu.Unlock()
		}
	}
	must(t, w.Close())
	if outcomes != len(msgs) {
		t.Errorf("the program has been told of %d of %d messages", outcomes, len(msgs))
	}
	return errs
}

func kafkagoReader(brokers []string, topic, group string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: brokers, Topic: topic, GroupID: group, StartOffset: kafka.FirstOffset, MaxWait: 100 * time.Millisecond,
		SessionTimeout: 6 * time.Second, RebalanceTimeout: 6 * time.Second,
	})
}

func consumeKafkago(t *testing.T, brokers []string, r *audit.Recorder, topic, group string, n int, mark func(delivery) bool) {
	reader := auditkafkago.NewReader(kafkagoReader(brokers, topic, group), r)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	latest := map[int]kafka.Message{} // of those that are to be marked
	for range n {
		m, err := reader.FetchMessage(ctx)
		must(t, err)
		if mark(delivery{int32(m.Partition), m.Offset}) {
			latest[m.Partition] = m
		}
	}
	for _, m := range latest { // which commits those before it too
		must(t, reader.CommitMessages(ctx, m))
	}
	must(t, reader.Close())
}

// readKafkago reads each partition without a group.
func readKafkago(t *testing.T, brokers []string, r *audit.Recorder, topic, _ string, n int, mark func(delivery) bool) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var readers sync.WaitGroup
	for p := range 3 {
		readers.Go(func() {
			config := kafkagoReader(brokers, topic, "").Config()
			config.Partition = p
			reader := auditkafkago.NewReader(kafka.NewReader(config), r)
			defer reader.Close()
			for {
				m, err := reader.ReadMessage(ctx)
				if err != nil {
					return
				}
				if mark(delivery{int32(m.Partition), m.Offset}) {
					reader.Processed(m)
				}
				mu.Lock()
				if n--; n == 0 {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	readers.Wait()
	if n != 0 {
		t.Fatalf("%d messages have not come", n)
	}
}

func reportKafkago(t *testing.T, brokers []string, topic string) audit.Reporter {
	reporter, err := auditkafkago.NewReporter(brokers, &kafka.Transport{MetadataTTL: 100 * time.Millisecond}, topic)
	must(t, err)
	t.Cleanup(func() { must(t, reporter.Close()) })
	return reporter
}
