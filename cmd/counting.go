package cmd

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditfranz"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/processors"
)

type eventTimeFunc func(topic string, key, value []byte) (ms int64, ok bool)

// eventTimes reads the event time of messages that are JSON.
func eventTimes(field string) eventTimeFunc {
	codec, err := codecs.JSON(codecs.Rule{Fields: []string{field}})
	if err != nil {
		return nil // no such field can be: the time is that of sending
	}
	return func(_ string, key, value []byte) (int64, bool) {
		ms, s := codec.EventTime(&codecs.Message{Key: key, Value: value})
		return ms, s == codecs.Found
	}
}

// counting is a recorder that reports to the audit topic of a configuration.
type counting struct {
	recorder *audit.Recorder
	reporter *auditfranz.Reporter
}

// count makes a recorder for a program that counts itself.
func count(c *config.Config, tier string, eventTime eventTimeFunc, stderr io.Writer) (*counting, error) {
	cluster := c.AuditCluster()
	if len(cluster.Brokers) == 0 {
		cluster.Brokers = []string{c.Embedded.KafkaAddr}
	}
	opts, err := cluster.Kafka.Franz("chaperone-reporter")
	if err != nil {
		return nil, err
	}
	topology := processors.DefaultTopology()
	topology.Prefix = cluster.Prefix
	reporter, err := auditfranz.NewReporter(string(topology.AuditTopic()), opts...)
	if err != nil {
		return nil, err
	}
	datacenter := ""
	if len(c.Clusters) > 0 {
		datacenter = c.Clusters[0].Datacenter
	}
	recorder, err := audit.NewRecorder(audit.Options{
		Tier: tier, Datacenter: datacenter, Reporter: reporter, Window: c.Windows.Size, Past: c.Windows.Past, Future: c.Windows.Future,
		EventTime: eventTime, EventTimeName: "json",
		OnError: func(err error) { fmt.Fprintf(stderr, "chaperone: %v; it is tried again\n", err) },
	})
	if err != nil {
		reporter.Close()
		return nil, err
	}
	return &counting{recorder, reporter}, nil
}

// close reports everything that was counted.
func (c *counting) close() error {
	if c.recorder == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	err := c.recorder.Close(ctx)
	c.reporter.Close()
	return err
}
