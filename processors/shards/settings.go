package shards

import (
	"time"

	"github.com/IBM/sarama"
)

// Each duty has a client of its own, with its own settings: a broker serves one
// connection in order, so a fetch that waits for messages would delay a heartbeat
// or an offset request. The functions change and return the configuration given.
//
// None of the clients may create a topic by asking for it: an audited topic that
// its owner has just deleted would be back at once.

// hungAfter is when a broker that does not answer is given up. Those who ask it
// may be waited for at the end of a session, which others wait for.
const hungAfter = 5 * time.Second

// AskConfig is for questions: metadata, offsets, coordinators.
func AskConfig(c *sarama.Config) *sarama.Config {
	c.Net.DialTimeout, c.Net.ReadTimeout = hungAfter, hungAfter
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.RefreshFrequency = time.Minute
	c.Consumer.IsolationLevel = sarama.ReadCommitted // "newest offset" is the last stable one
	return c
}

// GroupConfig is for membership in a consumer group, and for reading the real
// input topics of groups.
func GroupConfig(c *sarama.Config, instanceID string) *sarama.Config {
	c.Metadata.AllowAutoTopicCreation = false
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false // a Worker commits, behind its writes
	c.Consumer.Return.Errors = false
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.MaxWaitTime = 250 * time.Millisecond
	c.Consumer.Fetch.MaxBytes = fetchBytes
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategySticky()}
	// A rebalance waits for the slowest member, but JoinGroup is read with
	// Net.ReadTimeout: with sarama's 60 s against 30 s one dead joiner is an
	// i/o timeout, and a dead goka processor.
	c.Consumer.Group.Rebalance.Timeout = min(c.Consumer.Group.Session.Timeout, c.Net.ReadTimeout-time.Second)
	c.Consumer.Group.Heartbeat.Interval = c.Consumer.Group.Session.Timeout / 6
	c.Consumer.Group.InstanceId = instanceID
	return c
}

// fetchBytes is what a broker sends at a time, of all partitions together, unless
// ShareFetch says less. It bounds the memory: decoded it is several times as much,
// and a partition that nobody takes from keeps the whole response that it is part of.
const fetchBytes = 8 << 20

// ShareFetch bounds what all brokers of a cluster together send at a time; 0 leaves
// it as it is. A batch that is larger than its broker's share comes all the same, or
// there would be no getting past it.
func ShareFetch(c *sarama.Config, bytes, brokers int) *sarama.Config {
	const least = 128 << 10 // less would cost more CPU than it saves memory
	f := &c.Consumer.Fetch
	if bytes > 0 {
		f.MaxBytes = int32(min(int(f.MaxBytes), max(least, bytes/max(1, brokers))))
		f.Default = min(f.Default, f.MaxBytes)
	}
	return c
}

// TableConfig is for goka's reading of tables, which it does at the start of a
// session only, by partitions that join a fetch one after another: the usual
// wait of 500 ms would cost a second.
func TableConfig(c *sarama.Config) *sarama.Config {
	c.Metadata.AllowAutoTopicCreation = false
	c.Consumer.MaxWaitTime = 50 * time.Millisecond
	c.Consumer.Fetch.MaxBytes = fetchBytes
	c.Consumer.Return.Errors = false
	c.ChannelBufferSize = 256
	return c
}

// ProducerConfig is for writing: nothing reordered, nothing doubled by a retry,
// and patient enough to outlast the restart of a broker.
func ProducerConfig(c *sarama.Config) *sarama.Config {
	c.Metadata.AllowAutoTopicCreation = false
	c.Producer.Idempotent = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Net.MaxOpenRequests = 1
	c.Producer.Return.Successes = true
	c.Producer.Return.Errors = true
	c.Producer.Flush.Frequency = 5 * time.Millisecond
	c.Producer.Retry.Max = 100
	c.Producer.Retry.Backoff = 250 * time.Millisecond
	c.Metadata.Retry.Max = 20
	c.Producer.Compression = sarama.CompressionLZ4
	return c
}

// SourceConfig is for reading source partitions. Offset questions of partition
// consumers share the connection of their fetches, so many must be in flight.
func SourceConfig(c *sarama.Config) *sarama.Config {
	c.Net.DialTimeout, c.Net.ReadTimeout = hungAfter, hungAfter
	c.Metadata.AllowAutoTopicCreation = false
	c.Net.MaxOpenRequests = 100
	c.Consumer.MaxWaitTime = 250 * time.Millisecond
	c.Consumer.MaxProcessingTime = 250 * time.Millisecond
	c.Consumer.Fetch.Default = 1 << 20     // 64 KiB costs twice the CPU
	c.Consumer.Fetch.Max = 0               // a limit below the largest message would skip it
	c.Consumer.Fetch.MaxBytes = fetchBytes // of all partitions together: it bounds the memory of catching up, and cuts no message
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	c.Consumer.Return.Errors = true
	c.Consumer.Retry.Backoff = 500 * time.Millisecond
	c.ChannelBufferSize = 256
	return c
}
