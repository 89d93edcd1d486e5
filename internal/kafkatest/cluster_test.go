package kafkatest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// within bounds a test that waits for something to become true.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func produce(t *testing.T, c *Cluster, topic string, values ...string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.ProduceRequestTimeout(3*time.Second), kgo.RequestTimeoutOverhead(3*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, v := range values {
		if err := client.ProduceSync(within(t), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatalf("produce %q to %s: %v", v, topic, err)
		}
	}
}

// consume reads so many values from the start of a topic of one partition.
func consume(t *testing.T, c *Cluster, topic string, n int) (values []string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx := within(t)
	for len(values) < n {
		f := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("%d of %d records of %s: %v", len(values), n, topic, err)
		}
		f.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestTopicHelpersActOnBothBrokers(t *testing.T) {
	Both(t, func(t *testing.T, c *Cluster) {
		ctx := within(t)
		topic := Name(t, "helpers")
		c.MustCreateTopic(t, topic, 2, map[string]string{"cleanup.policy": "compact,delete", "min.compaction.lag.ms": "3600000"})
		if err := c.AddPartitions(ctx, topic, 5); err != nil {
			t.Fatal(err)
		}
		before, err := c.TopicID(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.DeleteTopic(ctx, topic); err != nil {
			t.Fatal(err)
		}
		if _, err := c.TopicID(ctx, topic); err == nil {
			t.Error("a deleted topic still has an id")
		}
		c.MustCreateTopic(t, topic, 1, nil)
		after, err := c.TopicID(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		if before == after {
			t.Errorf("made again under the same name, the topic has the same id %x", after)
		}
		produce(t, c, topic, "a", "b", "c")
		if err := c.DeleteRecords(ctx, topic, 0, 2); err != nil {
			t.Fatal(err)
		}
		if got := consume(t, c, topic, 1); got[0] != "c" {
			t.Errorf("after deleting records before offset 2, the first one is %q, want c", got[0])
		}
	})
}

func TestDataSurvivesStopAndRestart(t *testing.T) {
	stories := func(t *testing.T, c *Cluster, end func() error) {
		topic := Name(t, "kept")
		addr := c.Brokers()[0]
		c.MustCreateTopic(t, topic, 1, nil)
		id, err := c.TopicID(within(t), topic)
		if err != nil {
			t.Fatal(err)
		}
		produce(t, c, topic, "before")
		if err := end(); err != nil {
			t.Fatal(err)
		}
		if err := c.Restart(within(t)); err != nil {
			t.Fatal(err)
		}
		if c.Brokers()[0] != addr {
			t.Errorf("address was %s and is %s", addr, c.Brokers()[0])
		}
		produce(t, c, topic, "after")
		if got := strings.Join(consume(t, c, topic, 2), " "); got != "before after" {
			t.Errorf("topic has %q, want both records", got)
		}
		if again, err := c.TopicID(within(t), topic); err != nil || again != id {
			t.Errorf("topic id was %x and is %x (%v)", id, again, err)
		}
	}
	t.Run("kfake", func(t *testing.T) {
		c := Kfake(t)
		stories(t, c, c.Stop)
	})
	t.Run("apache", func(t *testing.T) {
		c := Apache(t, 1)[0]
		t.Run("stopped", func(t *testing.T) { stories(t, c, c.Stop) })
		t.Run("killed", func(t *testing.T) { stories(t, c, c.Kill) })
	})
}

func TestConsoleToolsWork(t *testing.T) {
	if testing.Short() {
		t.Skip("needs Apache Kafka's tools; not with -short")
	}
	Both(t, func(t *testing.T, c *Cluster) {
		ctx := within(t)
		topic := Name(t, "console")
		tool := func(class, stdin string, args ...string) string {
			t.Helper()
			out, err := c.Tool(ctx, class, args, strings.NewReader(stdin))
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		tool(TopicCommand, "", "--create", "--topic", topic, "--partitions", "3", "--config", "message.timestamp.type=LogAppendTime")
		if out := tool(TopicCommand, "", "--describe", "--topic", topic); !strings.Contains(out, "PartitionCount: 3") || !strings.Contains(out, "message.timestamp.type=LogAppendTime") {
			t.Errorf("description of the topic: %s", out)
		}
		tool(ConsoleProducer, "plain line\n{\"ts\":1}\n", "--topic", topic)
		out := tool(ConsoleConsumer, "", "--topic", topic, "--from-beginning", "--max-messages", "2", "--group", topic+"-group", "--formatter-property", "print.timestamp=true")
		for _, want := range []string{"plain line", `{"ts":1}`, "LogAppendTime:", "CreateTime:"} {
			if want == "LogAppendTime:" && c.Name() == "kfake" || want == "CreateTime:" && c.Name() == "apache" {
				continue // see internal/embedded/kafka
			}
			if !strings.Contains(out, want) {
				t.Errorf("the console consumer wrote %q, want %q in it", out, want)
			}
		}
		if out := tool(ConsumerGroupCommand, "", "--describe", "--group", topic+"-group"); !strings.Contains(out, topic) {
			t.Errorf("description of the group: %s", out)
		}
		if out := tool(GetOffsetShell, "", "--topic", topic); !strings.Contains(out, topic+":2:") {
			t.Errorf("offsets: %s", out)
		}
		auto := Name(t, "auto")
		tool(ConsoleProducer, "made by producing\n", "--topic", auto)
		if got := consume(t, c, auto, 1); got[0] != "made by producing" {
			t.Errorf("a topic made by producing holds %q", got)
		}
		if out := tool(TopicCommand, "", "--list"); !strings.Contains(out, auto) {
			t.Errorf("list of topics: %s", out)
		}
	})
}
