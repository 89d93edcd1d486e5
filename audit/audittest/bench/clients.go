package main

import (
	"context"
	"encoding/binary"
	"sync/atomic"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditfranz"
	"github.com/chaperone-audit/chaperone/audit/auditsarama"
)

// payload is a key and a value, 200 bytes together.
func payload(i int) (key, value []byte) {
	b := make([]byte, 200)
	binary.BigEndian.PutUint64(b, uint64(i))
	return b[:8], b[8:]
}

func saramaMessage(topic string, i int) *sarama.ProducerMessage {
	key, value := payload(i)
	return &sarama.ProducerMessage{Topic: topic, Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(value)}
}

func saramaConfig(successes bool) *sarama.Config {
	c := sarama.NewConfig()
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes = successes
	return c
}

func newSaramaSync(brokers []string, r *audit.Recorder) (sarama.SyncProducer, error) {
	p, err := sarama.NewSyncProducer(brokers, saramaConfig(true))
	if err == nil && r != nil {
		p = auditsarama.Producer(p, r)
	}
	return p, err
}

// saramaSync sends each message for itself.
func saramaSync(_ context.Context, brokers []string, topic string, n int, r *audit.Recorder) error {
	p, err := newSaramaSync(brokers, r)
	if err != nil {
		return err
	}
	defer p.Close()
	for i := range n {
		if _, _, err := p.SendMessage(saramaMessage(topic, i)); err != nil {
			return err
		}
	}
	return nil
}

// saramaBatch sends 1,000 messages at a time.
func saramaBatch(_ context.Context, brokers []string, topic string, n int, r *audit.Recorder) error {
	p, err := newSaramaSync(brokers, r)
	if err != nil {
		return err
	}
	defer p.Close()
	for sent := 0; sent < n; {
		var list []*sarama.ProducerMessage
		for len(list) < 1000 && sent < n {
			list = append(list, saramaMessage(topic, sent))
			sent++
		}
		if err := p.SendMessages(list); err != nil {
			return err
		}
	}
	return nil
}

// saramaAsync sends without waiting, with Successes or without.
func saramaAsync(successes bool) func(context.Context, []string, string, int, *audit.Recorder) error {
	return func(_ context.Context, brokers []string, topic string, n int, r *audit.Recorder) (err error) {
		var p sarama.AsyncProducer
		if r == nil {
			p, err = sarama.NewAsyncProducer(brokers, saramaConfig(successes))
		} else {
			p, err = auditsarama.NewAsyncProducer(brokers, saramaConfig(successes), r)
		}
		if err != nil {
			return err
		}
		if successes {
			go func() {
				for range p.Successes() {
				}
			}()
		}
		for i := range n {
			p.Input() <- saramaMessage(topic, i)
		}
		return p.Close()
	}
}

func franz(ctx context.Context, brokers []string, topic string, n int, r *audit.Recorder) error {
	opts := []kgo.Opt{kgo.SeedBrokers(brokers...)}
	if r != nil {
		opts = append(opts, auditfranz.Hooks(r))
	}
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	var failed atomic.Pointer[error]
	for i := range n {
		key, value := payload(i)
		client.Produce(ctx, &kgo.Record{Topic: topic, Key: key, Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
