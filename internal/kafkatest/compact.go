package kafkatest

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// hard is what a topic needs for the cleaner to take it again and again. What
// was appended last, in the open segment, it leaves alone all the same, until
// more is appended. Markers of deletion stay for delete.retention.ms as before.
var hard = map[string]string{
	"segment.ms":                "200",
	"segment.bytes":             "1048576", // Kafka takes no less
	"min.cleanable.dirty.ratio": "0",
	"min.compaction.lag.ms":     "0",
	"max.compaction.lag.ms":     "200", // it bounds segment.ms; a segment for each batch would be too many
}

// CompactHard has compacted topics cleaned several times a second until it is
// told to stop, once, which puts their settings back. Apache Kafka takes up to
// 15 s to begin: the pause that its cleaner may be in. The embedded broker cleans
// all its compacted topics, to the last record.
func (c *Cluster) CompactHard(ctx context.Context, topics ...string) (stop func(context.Context) error, err error) {
	if e, ok := c.servers[0].(*embedded); ok {
		end := every(100*time.Millisecond, e.compact)
		return func(context.Context) error { end(); return nil }, nil
	}
	var undo []func(context.Context) error
	stop = func(ctx context.Context) error {
		var errs []error
		for _, u := range undo {
			errs = append(errs, u(ctx))
		}
		return errors.Join(errs...)
	}
	set := func(kind kmsg.ConfigResourceType, name string, configs, before map[string]string) error {
		undo = append(undo, func(ctx context.Context) error { return c.alterConfigs(ctx, kind, name, before) })
		return c.alterConfigs(ctx, kind, name, configs)
	}
	backoff := map[string]string{"log.cleaner.backoff.ms": "100"}
	err = set(kmsg.ConfigResourceTypeBroker, "", backoff, map[string]string{"log.cleaner.backoff.ms": ""})
	for _, topic := range topics {
		before := map[string]string{}
		for name := range hard {
			if err == nil {
				before[name], err = c.topicConfig(ctx, topic, name)
			}
		}
		if err == nil {
			err = set(kmsg.ConfigResourceTypeTopic, topic, hard, before)
		}
	}
	if err != nil {
		return nil, errors.Join(err, stop(ctx))
	}
	return stop, nil
}
