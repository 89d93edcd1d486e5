package cmd

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func saidInFile(stdin io.Reader, file string) (*said, error) {
	in := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	all := &said{}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostBytes)
	for lines.Scan() {
		if line := bytes.TrimSpace(lines.Bytes()); len(line) > 0 {
			all.add(line)
		}
	}
	return all, lines.Err()
}

// saidOnTopic reads the topic of verdicts from its beginning to the end that it has now.
func saidOnTopic(ctx context.Context, c *config.Config) (*said, error) {
	a := c.AuditCluster()
	if len(a.Brokers) == 0 {
		return nil, errors.New("audit: no brokers are given, and the embedded broker is with `chaperone standalone` only; give --brokers, a configuration file, or a --file with verdicts")
	}
	connect, err := a.Sarama("chaperone-rules-test")
	if err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	client, err := sarama.NewClient(a.Brokers, shards.TableConfig(connect))
	if err != nil {
		return nil, fmt.Errorf("connect to the audit cluster %v: %w", a.Brokers, err)
	}
	defer client.Close()
	topic := string(app.Topology(c).VerdictsTopic())
	partitions, err := client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("topic %s: %w", topic, err)
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	all := &said{}
	for _, p := range partitions {
		if err := saidOnPartition(ctx, client, consumer, topic, p, all); err != nil {
			return nil, fmt.Errorf("read partition %d of %s: %w", p, topic, err)
		}
	}
	return all, nil
}

// endWithin is how long the next record of a partition is waited for.
const endWithin = 15 * time.Second

func saidOnPartition(ctx context.Context, client sarama.Client, consumer sarama.Consumer, topic string, partition int32, all *said) error {
	first, err := client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil || end <= first {
		return err
	}
	pc, err := consumer.ConsumePartition(topic, partition, first)
	if err != nil {
		return err
	}
	defer pc.Close()
	for {
		select {
		case m, ok := <-pc.Messages():
			if !ok {
				return errors.New("reading has ended before the end")
			}
			if len(m.Value) > 0 {
				all.add(m.Value)
			}
			if m.Offset+1 >= end {
				return nil
			}
		case <-time.After(endWithin): // the last record is no more: compaction may take it
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
