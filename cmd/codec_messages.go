package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

// mostBytes is the longest message that a file may have.
const mostBytes = 64 << 20

// fromFile shows the messages of a file.
func (t *trial) fromFile(stdin io.Reader, show shower) error {
	at := int64(-1)
	if t.stamp != "" {
		stamp, err := time.Parse(time.RFC3339, t.stamp)
		if err != nil {
			return fmt.Errorf("--time: %q must be a time such as 2026-01-31T00:00:00Z", t.stamp)
		}
		at = stamp.UnixMilli()
	}
	in := stdin
	if t.file != "-" {
		f, err := os.Open(t.file)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	if t.whole {
		value, err := io.ReadAll(io.LimitReader(in, mostBytes+1))
		if err != nil {
			return err
		}
		if len(value) > mostBytes {
			return fmt.Errorf("%s has more than %d bytes", t.file, mostBytes)
		}
		return show(t.file, &codecs.Message{Value: value, Time: at})
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, mostBytes)
	for n := 1; n <= t.messages && lines.Scan(); n++ {
		if err := show(fmt.Sprintf("line %d", n), &codecs.Message{Value: lines.Bytes(), Time: at}); err != nil {
			return err
		}
	}
	return lines.Err()
}

// fromTopic shows the newest messages of a topic, or the oldest.
func (t *trial) fromTopic(ctx context.Context, c *config.Config, show shower) error {
	var to produce.Config
	k, err := target(c, t.cluster, &to)
	if err != nil {
		return err
	}
	k.Brokers = to.Brokers
	opts, err := k.Franz("chaperone-codec-try")
	if err != nil {
		return err
	}
	offset := kgo.NewOffset().AtEnd().Relative(-int64(t.messages))
	if t.earliest {
		offset = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(append(opts, kgo.ConsumeTopics(t.topic), kgo.ConsumeResetOffset(offset), kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	for n := 0; n < t.messages; {
		waiting, cancel := context.WithTimeout(ctx, t.wait)
		fetches := client.PollRecords(waiting, t.messages-n)
		cancel()
		for _, e := range fetches.Errors() {
			if errors.Is(e.Err, context.DeadlineExceeded) || ctx.Err() != nil {
				return t.unreached(ctx, client)
			}
			return fmt.Errorf("read topic %s of cluster %s: %w", t.topic, to.Cluster, e.Err)
		}
		var shown error
		fetches.EachRecord(func(r *kgo.Record) {
			if n++; shown == nil {
				shown = show(fmt.Sprintf("%s/%d offset %d", r.Topic, r.Partition, r.Offset), message(r))
			}
		})
		if shown != nil {
			return shown
		}
	}
	return nil
}

// unreached says that there are no more messages, unless there is nobody to ask.
func (t *trial) unreached(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, t.wait)
	defer cancel()
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("read topic %s: no broker answers: %w", t.topic, err)
	}
	return nil
}

// message is a record as codecs see it.
func message(r *kgo.Record) *codecs.Message {
	m := &codecs.Message{Key: r.Key, Value: r.Value, Time: r.Timestamp.UnixMilli()}
	switch r.Attrs.TimestampType() {
	case 0:
		m.TimeType = codecs.CreateTime
	case 1:
		m.TimeType = codecs.LogAppendTime
	default:
		m.Time = -1
	}
	m.Headers = codecs.AppendHeaderCount(nil, len(r.Headers))
	for _, h := range r.Headers {
		m.Headers = codecs.AppendHeader(m.Headers, []byte(h.Key), h.Value)
	}
	return m
}
