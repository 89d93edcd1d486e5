package produce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
)

// RecountConfig says how messages are put into windows. The zero value is what
// the audit does by default where no codec is declared.
type RecountConfig struct {
	WindowSize time.Duration // 10m if 0
	// Fields may hold the event time, at the top level; ts and timestamp in any
	// case if there are none.
	Fields   []string
	Declared func(topic string) bool // a codec is declared; nil: nowhere
	// Strict wants the whole message to be JSON, not only what comes before the time.
	Strict bool
	// Past and Future bound event times around the record timestamp; 7 days and
	// 1 hour if 0.
	Past, Future time.Duration
	// Options are added to those of the client (TLS, SASL).
	Options []kgo.Opt
}

// Recount reads topics whole, committed messages only, up to where they end
// when it starts, and counts. It shares nothing with the counter but the
// arithmetic of windows: another client, another JSON decoder.
func Recount(ctx context.Context, brokers, topics []string, cfg RecountConfig) (map[Key]Counts, error) {
	cfg.WindowSize = cmpOr(cfg.WindowSize, 10*time.Minute)
	cfg.Past, cfg.Future = cmpOr(cfg.Past, 7*24*time.Hour), cmpOr(cfg.Future, time.Hour)
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()}, cfg.Options...)...)
	if err != nil {
		return nil, fmt.Errorf("recount: client of %v: %w", brokers, err)
	}
	defer client.Close()
	from, err := offsets(ctx, client, topics, -2)
	if err != nil {
		return nil, fmt.Errorf("recount: ask where %v begin: %w", topics, err)
	}
	to, err := offsets(ctx, client, topics, -1)
	if err != nil {
		return nil, fmt.Errorf("recount: ask where %v end: %w", topics, err)
	}
	open := map[place]int64{} // partitions not yet read to the end, and their ends
	start := map[string]map[int32]kgo.Offset{}
	for p, end := range to {
		if from[p] < end {
			open[p] = end
			if start[p.topic] == nil {
				start[p.topic] = map[int32]kgo.Offset{}
			}
			start[p.topic][p.partition] = kgo.NewOffset().At(from[p])
		}
	}
	client.AddConsumePartitions(start)
	counts := map[Key]Counts{}
	for len(open) > 0 {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("recount: %d partitions not read to the end: %w", len(open), err)
		}
		var failed error
		fetches.EachError(func(topic string, p int32, err error) {
			failed = errors.Join(failed, fmt.Errorf("recount: read %s/%d: %w", topic, p, err))
		})
		if failed != nil {
			return nil, failed
		}
		fetches.EachRecord(func(r *kgo.Record) {
			p := place{r.Topic, r.Partition}
			end, reading := open[p]
			if !reading || r.Offset >= end {
				return // produced since
			}
			if !r.Attrs.IsControl() {
				key, c := cfg.classify(r)
				sum := counts[key]
				sum.add(c)
				counts[key] = sum
			}
			// The last offset is a message, or the marker that ends a transaction.
			if r.Offset == end-1 {
				delete(open, p)
			}
		})
	}
	return counts, nil
}

func cmpOr(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

type place struct {
	topic     string
	partition int32
}

// offsets asks the leaders: -2 for the first offset, -1 for the last stable one.
func offsets(ctx context.Context, client *kgo.Client, topics []string, which int64) (map[place]int64, error) {
	meta := kmsg.NewPtrMetadataRequest()
	meta.AllowAutoTopicCreation = false
	for _, topic := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &topic
		meta.Topics = append(meta.Topics, t)
	}
	if len(topics) == 0 {
		return nil, errors.New("no topics given")
	}
	described, err := meta.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = 1
	for _, t := range described.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		rt := kmsg.NewListOffsetsRequestTopic()
		rt.Topic = *t.Topic
		for _, p := range t.Partitions {
			rp := kmsg.NewListOffsetsRequestTopicPartition()
			rp.Partition, rp.Timestamp = p.Partition, which
			rt.Partitions = append(rt.Partitions, rp)
		}
		req.Topics = append(req.Topics, rt)
	}
	listed, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	found := map[place]int64{}
	for _, t := range listed.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, err)
			}
			found[place{t.Topic, p.Partition}] = p.Offset
		}
	}
	return found, nil
}

func (cfg *RecountConfig) classify(r *kgo.Record) (Key, Counts) {
	c := Counts{Count: 1, Bytes: uint64(len(r.Key) + len(r.Value))}
	at := r.Timestamp.UnixMilli()
	event, answer := cfg.eventTime(r.Value)
	switch {
	case answer == broken && cfg.Declared != nil && cfg.Declared(r.Topic):
		c.Malformed, event = 1, at
	case answer != found:
		c.NoTime, event = 1, at
	case at >= 0 && (event < at-cfg.Past.Milliseconds() || event > at+cfg.Future.Milliseconds()):
		c.OutOfBounds, event = 1, at
	}
	size := int64(cfg.WindowSize / time.Second)
	return Key{r.Topic, r.Partition, audit.WindowAt(event, size)}, c
}

type answer int

const (
	found answer = iota
	none
	broken
)

// eventTime decodes the members of the object in order, up to the first that is
// the time.
func (cfg *RecountConfig) eventTime(value []byte) (ms int64, a answer) {
	if len(value) == 0 {
		return 0, none
	}
	if cfg.Strict && !json.Valid(value) {
		return 0, broken
	}
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return 0, broken
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return 0, broken
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return 0, broken
		}
		if s, ok := name.(string); ok && cfg.isTime(s) && v != nil {
			return moment(v)
		}
	}
	if _, err := d.Token(); err != nil {
		return 0, broken
	}
	if rest := bytes.TrimLeft(value[d.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return 0, broken
	}
	return 0, none
}

func (cfg *RecountConfig) isTime(name string) bool {
	if len(cfg.Fields) > 0 {
		return slices.Contains(cfg.Fields, name)
	}
	// The length keeps out letters beyond ASCII that fold to these.
	return len(name) == 2 && strings.EqualFold(name, "ts") || len(name) == 9 && strings.EqualFold(name, "timestamp")
}

// moment reads a JSON value as a time in milliseconds: seconds up to a
// magnitude of 999,999,999,999, which as milliseconds would be in 2001.
func moment(v any) (ms int64, a answer) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		if t, err := time.Parse(time.RFC3339, v); err == nil {
			return t.UnixMilli(), found
		}
		if len(v) > 63 || !json.Valid([]byte(v)) {
			return 0, broken
		}
		text = v
	default:
		return 0, broken
	}
	// Exact, as no time needs an exponent that would make this slow.
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(text)-i > 5 {
		return 0, broken
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, broken
	}
	if new(big.Rat).Abs(r).Cmp(big.NewRat(999_999_999_999, 1)) <= 0 {
		r.Mul(r, big.NewRat(1000, 1))
	}
	floor := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean, and so downwards: the denominator is positive
	if !floor.IsInt64() {
		return 0, broken
	}
	return floor.Int64(), found
}
