package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

// A topic is one that is produced to.
type topic struct {
	name        string
	partitions  int
	weight      int    // its part of the messages; 0: not written by librdkafka
	compression string // of its producer
	// field is the one declared to hold the time; empty: no codec is declared, so
	// that ts and timestamp are found in any case and malformed is no-time.
	field string
}

// consoleTopic is written by the other clients.
const consoleTopic = "console"

// plainTopics have the partition counts that matter: one, even, odd, prime, and
// more than there are of the others.
var plainTopics = []topic{
	{name: "alerts", partitions: 1, weight: 5, compression: "none"},
	{name: "positions", partitions: 3, weight: 20, compression: "gzip"},
	{name: "clicks", partitions: 4, weight: 20, compression: "snappy"},
	{name: "payments", partitions: 7, weight: 20, compression: "zstd", field: "created_at"},
	{name: "trips", partitions: 12, weight: 35, compression: "lz4"},
	{name: consoleTopic, partitions: 2},
}

func (t topic) fields() []string {
	if t.field != "" {
		return []string{t.field}
	}
	return []string{"ts", "timestamp", "Ts", "TIMESTAMP"}
}

// rules is the configuration of codecs for topics, in YAML on one line.
func rules(topics []topic) string {
	var list []string
	for _, t := range topics {
		if t.field != "" {
			list = append(list, fmt.Sprintf("{topics: %s, codec: json, fields: [%s]}", t.name, t.field))
		}
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// create makes topics on a cluster.
func create(ctx context.Context, c *kafkatest.Cluster, topics []topic) error {
	for _, t := range topics {
		if err := c.CreateTopic(ctx, t.name, t.partitions, nil); err != nil {
			return err
		}
	}
	return nil
}

// order is what librdkafka is to write to topics: shares without time, malformed
// and out of bounds as a bad day has them, and event times up to 15 minutes
// behind their record timestamps, which cover so long up to now.
func (r *run) order(c *kafkatest.Cluster, topics []topic, messages int, covers, window time.Duration) order {
	now := time.Now()
	o := order{
		Brokers: strings.Join(c.Brokers(), ","), Seed: r.seed, Messages: messages,
		FromMs: now.Add(-covers).UnixMilli(), ToMs: now.UnixMilli(),
		Late: 1, DisorderMs: (15 * time.Minute).Milliseconds(), WindowSeconds: int64(window / time.Second),
	}
	for _, t := range topics {
		if t.weight > 0 {
			o.Topics = append(o.Topics, orderTopic{
				Name: t.name, Weight: t.weight, Compression: t.compression, Fields: t.fields(), Declared: t.field != "",
				NoTime: 0.02, Malformed: 0.01, OutOfBounds: 0.001,
			})
		}
	}
	return o
}

// recount reads the topics of a cluster again, and makes sure that it found
// what the producers say that they sent: told by librdkafka's side, which needs
// no decoder to know its event times, and lines by the other clients.
func recount(ctx context.Context, c *kafkatest.Cluster, topics []topic, window time.Duration, told map[produce.Key]produce.Counts, lines int) (map[produce.Key]produce.Counts, error) {
	say("recounting the log at %s", c.Brokers()[0])
	byField := map[string][]string{}
	for _, t := range topics {
		byField[t.field] = append(byField[t.field], t.name)
	}
	found := map[produce.Key]produce.Counts{}
	for field, names := range byField {
		cfg := produce.RecountConfig{WindowSize: window}
		if field != "" {
			cfg.Fields = []string{field}
			cfg.Declared = func(string) bool { return true }
		}
		part, err := produce.Recount(ctx, c.Brokers(), names, cfg)
		if err != nil {
			return nil, err
		}
		maps.Copy(found, part)
	}
	bulk, others := map[produce.Key]produce.Counts{}, uint64(0)
	for k, n := range found {
		if k.Topic == consoleTopic {
			others += n.Count
		} else {
			bulk[k] = n
		}
	}
	if others != uint64(lines) {
		return nil, fmt.Errorf("recount: %d messages in topic %s, but %d lines were produced to it", others, consoleTopic, lines)
	}
	if wrong := produce.Differences(told, bulk); len(wrong) > 0 {
		return nil, fmt.Errorf("recount: it differs from what the producer sent in %d windows, so neither can judge the audit; the first:\n%s",
			len(wrong), strings.Join(wrong[:min(len(wrong), 20)], "\n"))
	}
	return found, nil
}
