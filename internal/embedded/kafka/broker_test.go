package kafka

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func mustStart(t *testing.T, o Options) *Broker {
	t.Helper()
	b, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b
}

func saramaConfig() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Producer.Return.Successes = true
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Producer.Idempotent = true
	cfg.Net.MaxOpenRequests = 1
	cfg.Consumer.Offsets.Initial = sarama.OffsetOldest
	cfg.Consumer.Group.Rebalance.Timeout = 6 * time.Second
	cfg.Consumer.Group.Session.Timeout = 6 * time.Second
	return cfg
}

func mustClient(t *testing.T, b *Broker) sarama.Client {
	t.Helper()
	client, err := sarama.NewClient(b.Brokers(), saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func mustCreate(t *testing.T, client sarama.Client, topic string, partitions int32, configs map[string]string) {
	t.Helper()
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: map[string]*string{}}
	for k, v := range configs {
		detail.ConfigEntries[k] = &v
	}
	if err := admin.CreateTopic(topic, detail, false); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
}

func mustSend(t *testing.T, client sarama.Client, msgs ...*sarama.ProducerMessage) {
	t.Helper()
	p, err := sarama.NewSyncProducerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, m := range msgs {
		if _, _, err := p.SendMessage(m); err != nil {
			t.Fatalf("send to %s: %v", m.Topic, err)
		}
	}
}

// mustRead reads so many messages from the start of a partition.
func mustRead(t *testing.T, client sarama.Client, topic string, n int) (msgs []*sarama.ConsumerMessage) {
	t.Helper()
	c, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	pc, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	for len(msgs) < n {
		select {
		case m := <-pc.Messages():
			msgs = append(msgs, m)
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of %d messages of %s", len(msgs), n, topic)
		}
	}
	return msgs
}

func text(topic, key, value string) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder(key), Value: sarama.StringEncoder(value)}
}

func topicID(t *testing.T, client sarama.Client, topic string) string {
	t.Helper()
	broker, err := client.Controller()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := broker.GetMetadata(&sarama.MetadataRequest{Version: 10, Topics: []string{topic}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Topics[0].Uuid.String()
}

func TestStartSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	mustStart(t, Options{Dir: dir})
	for _, c := range []struct {
		name string
		o    Options
		want []string
	}{
		{"port taken", Options{Addr: taken.Addr().String()}, []string{"is taken", "choose another port"}},
		{"reachable by others", Options{Addr: "0.0.0.0:9092"}, []string{"not loopback", "use 127.0.0.1"}},
		{"a name", Options{Addr: "kafka.example:9092"}, []string{"not loopback"}},
		{"no port", Options{Addr: "localhost"}, []string{"want host:port"}},
		{"a bad port", Options{Addr: "localhost:http"}, []string{"must be a number"}},
		{"data in use", Options{Dir: dir}, []string{"in use by another broker", "choose another folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := Start(c.o)
			if err == nil {
				b.Stop()
				t.Fatal("it started")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestAddressIsTheOneAsked(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	b := mustStart(t, Options{Addr: strings.Replace(addr, "127.0.0.1", "localhost", 1)})
	if got := b.Brokers(); !slices.Equal(got, []string{addr}) {
		t.Errorf("brokers are %v, want %s", got, addr)
	}
	client := mustClient(t, b)
	if got := client.Brokers()[0].Addr(); got != addr {
		t.Errorf("the broker advertises %s, want %s", got, addr)
	}
}

func TestDataSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	b := mustStart(t, Options{Dir: dir})
	addr := b.Brokers()[0]
	client := mustClient(t, b)
	mustCreate(t, client, "table", 1, map[string]string{"cleanup.policy": "compact", "min.compaction.lag.ms": "3600000"})
	mustSend(t, client, text("table", "k", "v1"), text("table", "k", "v2"), text("table", "end", ""), text("auto", "", "x"))
	om, err := sarama.NewOffsetManagerFromClient("g", client)
	if err != nil {
		t.Fatal(err)
	}
	pom, err := om.ManagePartition("auto", 0)
	if err != nil {
		t.Fatal(err)
	}
	pom.MarkOffset(1, "note")
	om.Commit()
	om.Close()
	id := topicID(t, client, "table")
	b.Stop()

	b = mustStart(t, Options{Dir: dir, Addr: addr})
	client = mustClient(t, b)
	if again := topicID(t, client, "table"); again != id {
		t.Errorf("topic id was %s and is %s", id, again)
	}
	if m := mustRead(t, client, "table", 1)[0]; string(m.Value) != "v2" || m.Offset != 1 {
		t.Errorf("table begins with %q at %d, want v2 at 1: the start compacts", m.Value, m.Offset)
	}
	if m := mustRead(t, client, "auto", 1)[0]; string(m.Value) != "x" {
		t.Errorf("auto has %q, want x", m.Value)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	offsets, err := admin.ListConsumerGroupOffsets("g", map[string][]int32{"auto": {0}})
	if err != nil {
		t.Fatal(err)
	}
	if b := offsets.GetBlock("auto", 0); b == nil || b.Offset != 1 || b.Metadata != "note" {
		t.Errorf("group g has %+v, want offset 1", b)
	}
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "table", ConfigNames: []string{"cleanup.policy"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Value != "compact" {
		t.Errorf("settings of table are %+v, want cleanup.policy=compact", entries)
	}
}

// childEnv makes this test program a broker that is to be killed.
const childEnv = "EMBEDDED_KAFKA_TEST_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		b, err := Start(Options{Dir: dir})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(b.Brokers()[0])
		select {}
	}
	os.Exit(m.Run())
}

func TestDataSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(self)
	child.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		t.Fatal(err)
	}
	client, err := sarama.NewClient([]string{addr}, saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	mustSend(t, client, text("auto", "", "acknowledged"), text("auto", "", "too"))
	id := topicID(t, client, "auto")
	client.Close()
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()

	client = mustClient(t, mustStart(t, Options{Dir: dir}))
	if again := topicID(t, client, "auto"); again != id {
		t.Errorf("topic id was %s and is %s", id, again)
	}
	if m := mustRead(t, client, "auto", 2); string(m[1].Value) != "too" {
		t.Errorf("second record is %q", m[1].Value)
	}
}

func TestAppendTimeIsTheBrokers(t *testing.T) {
	b := mustStart(t, Options{})
	client := mustClient(t, b)
	mustCreate(t, client, "append", 1, map[string]string{"message.timestamp.type": "LogAppendTime"})
	mustCreate(t, client, "create", 1, nil)
	past := time.UnixMilli(1_000_000)
	begin := time.Now().Truncate(time.Millisecond)
	for _, codec := range []sarama.CompressionCodec{sarama.CompressionNone, sarama.CompressionGZIP, sarama.CompressionSnappy, sarama.CompressionLZ4, sarama.CompressionZSTD} {
		cfg := saramaConfig()
		cfg.Producer.Compression = codec
		p, err := sarama.NewSyncProducer(b.Brokers(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var msgs []*sarama.ProducerMessage
		for _, topic := range []string{"append", "append", "append", "create"} {
			m := text(topic, "key", strings.Repeat("value ", 50))
			m.Headers = []sarama.RecordHeader{{Key: []byte("h"), Value: []byte("header")}}
			m.Timestamp = past.Add(time.Duration(len(msgs)) * time.Second)
			msgs = append(msgs, m)
		}
		if err := p.SendMessages(msgs); err != nil {
			t.Fatalf("%s: %v", codec, err)
		}
		p.Close()
	}
	end := time.Now()
	for i, m := range mustRead(t, client, "append", 15) {
		if m.Timestamp.Before(begin) || m.Timestamp.After(end) {
			t.Errorf("record %d has time %s, want between %s and %s", i, m.Timestamp, begin, end)
		}
		if string(m.Key) != "key" || len(m.Value) != 300 || len(m.Headers) != 1 || string(m.Headers[0].Value) != "header" {
			t.Errorf("record %d has changed: %q %q %v", i, m.Key, m.Value, m.Headers)
		}
	}
	for i, m := range mustRead(t, client, "create", 5) {
		if !m.Timestamp.Equal(past.Add(3 * time.Second)) {
			t.Errorf("record %d of a topic with CreateTime has time %s", i, m.Timestamp)
		}
	}
}

func TestCompactionKeepsTheNewestOfAKey(t *testing.T) {
	b := mustStart(t, Options{})
	client := mustClient(t, b)
	mustCreate(t, client, "table", 1, map[string]string{"cleanup.policy": "compact"})
	for i := range 5 {
		mustSend(t, client, text("table", "a", fmt.Sprint(i)), text("table", "b", fmt.Sprint(i)))
	}
	mustSend(t, client, text("table", "end", ""))
	b.Compact()
	var got []string
	for _, m := range mustRead(t, client, "table", 3) {
		got = append(got, fmt.Sprintf("%s=%s@%d", m.Key, m.Value, m.Offset))
	}
	if want := "a=4@8 b=4@9 end=@10"; strings.Join(got, " ") != want {
		t.Errorf("table is %v, want %s", got, want)
	}
}

func TestCreatingTopicsAnswersAsKafkaDoes(t *testing.T) {
	b := mustStart(t, Options{})
	client := mustClient(t, b)
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		t.Fatal(err)
	}
	policy := "compact"
	configs := map[string]*string{"cleanup.policy": &policy}
	mustCreate(t, client, "there", 2, map[string]string{"cleanup.policy": policy})
	for _, c := range []struct {
		name   string
		topic  string
		detail sarama.TopicDetail
		want   error
	}{
		{"again", "there", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: configs}, sarama.ErrTopicAlreadyExists},
		{"no partitions", "p", sarama.TopicDetail{NumPartitions: 0, ReplicationFactor: 1, ConfigEntries: configs}, sarama.ErrInvalidPartitions},
		{"more replicas than brokers", "r", sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 3, ConfigEntries: configs}, sarama.ErrInvalidReplicationFactor},
		{"broker's default", "d", sarama.TopicDetail{NumPartitions: -1, ReplicationFactor: -1, ConfigEntries: configs}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := admin.CreateTopic(c.topic, &c.detail, false)
			if c.want == nil && err != nil || c.want != nil && (err == nil || !strings.Contains(err.Error(), c.want.(sarama.KError).Error())) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	if err := client.RefreshMetadata(); err != nil {
		t.Fatal(err)
	}
	if p, err := client.Partitions("there"); err != nil || len(p) != 2 {
		t.Errorf("partitions of there are %v (%v), want 2", p, err)
	}
}

// counts reads a group's share of a topic.
type counts struct{ n chan string }

func (counts) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (counts) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (c counts) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for m := range claim.Messages() {
		s.MarkMessage(m, "")
		select {
		case c.n <- string(m.Value):
		case <-s.Context().Done():
			return nil
		}
	}
	return nil
}

func TestSaramaGroupsConsume(t *testing.T) {
	b := mustStart(t, Options{})
	client := mustClient(t, b)
	mustCreate(t, client, "in", 3, nil)
	for i := range 30 {
		mustSend(t, client, text("in", fmt.Sprint(i), fmt.Sprint(i)))
	}
	ctx, cancel := context.WithCancel(t.Context())
	seen := counts{make(chan string)}
	done := make(chan error, 1)
	g, err := sarama.NewConsumerGroup(b.Brokers(), "g", saramaConfig())
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- g.Consume(ctx, []string{"in"}, seen) }()
	got := map[string]bool{}
	for len(got) < 30 {
		select {
		case v := <-seen.n:
			got[v] = true
		case err := <-done:
			t.Fatalf("the group ended after %d messages: %v", len(got), err)
		case <-time.After(30 * time.Second):
			t.Fatalf("%d of 30 messages", len(got))
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	g.Close()
}
