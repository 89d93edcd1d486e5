package inplace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

var rewrite = flag.Bool("rewrite", false, "produce the batches of testdata anew: needs Java and librdkafka (pip install confluent-kafka)")

// A golden file is what a broker gives of a log that some producer wrote.
type golden struct {
	Batches []byte
	Aborted []kmsg.FetchResponseTopicPartitionAbortedTransaction
	End     int64
}

// A message is one of those that every producer writes, of which the i-th has
// offset i. Tab, line end and ':' are in none: they go through Java's console.
type message struct {
	Key, Value []byte
	Headers    []kgo.RecordHeader
}

func messages() (list []message) {
	sizes := []int{1, 10, 100, 300, 1000, 2000, 4000, 3}
	for i := range 60 {
		m := message{Key: fmt.Appendf(nil, "k%d", i)}
		switch i % 5 {
		case 0:
			m.Key = nil
		case 1:
			m.Key = []byte{}
		}
		switch i % 7 {
		case 3:
		case 4:
			m.Value = []byte{}
		default:
			m.Value = bytes.Repeat(fmt.Appendf(nil, "%04d-", i), 801)[:sizes[i%8]]
		}
		if i%3 == 0 {
			m.Headers = append(m.Headers, kgo.RecordHeader{Key: "a", Value: fmt.Append(nil, i)})
		}
		if i%6 == 0 {
			m.Headers = append(m.Headers, kgo.RecordHeader{Key: "n"}, kgo.RecordHeader{Key: "e", Value: []byte{}})
		}
		list = append(list, m)
	}
	return list
}

var compressions = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// producers write the messages into a topic of one partition.
var producers = map[string]func(t *testing.T, c *kafkatest.Cluster, topic string, codec int, list []message){
	"java": func(t *testing.T, c *kafkatest.Cluster, topic string, codec int, list []message) {
		var in bytes.Buffer
		text := func(b []byte) string {
			if b == nil {
				return "NULL"
			}
			return string(b)
		}
		for _, m := range list {
			var headers []string
			for _, h := range m.Headers {
				headers = append(headers, h.Key+":"+text(h.Value))
			}
			all := "NULL"
			if len(headers) > 0 {
				all = strings.Join(headers, ",")
			}
			fmt.Fprintf(&in, "%s\t%s\t%s\n", all, text(m.Key), text(m.Value))
		}
		_, err := c.Tool(t.Context(), kafkatest.ConsoleProducer, []string{"--topic", topic, "--compression-codec", compressions[codec], "--sync",
			"--reader-property", "parse.key=true", "--reader-property", "parse.headers=true", "--reader-property", "null.marker=NULL"}, &in)
		if err != nil {
			t.Fatal(err)
		}
	},
	"librdkafka": func(t *testing.T, c *kafkatest.Cluster, topic string, codec int, list []message) {
		var in bytes.Buffer
		e := json.NewEncoder(&in)
		for _, m := range list {
			e.Encode(m)
		}
		cmd := exec.CommandContext(t.Context(), "python3", "testdata/librdkafka.py", strings.Join(c.Brokers(), ","), topic, compressions[codec])
		cmd.Stdin = &in
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	},
	"sarama": func(t *testing.T, c *kafkatest.Cluster, topic string, codec int, list []message) {
		config := sarama.NewConfig()
		config.Version = sarama.V2_8_0_0
		config.Producer.Return.Successes = true
		config.Producer.Compression = sarama.CompressionCodec(codec)
		config.Producer.Flush.Frequency = 200 * time.Millisecond
		p, err := sarama.NewSyncProducer(c.Brokers(), config)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		var batch []*sarama.ProducerMessage
		for _, m := range list {
			sm := &sarama.ProducerMessage{Topic: topic}
			if m.Key != nil {
				sm.Key = sarama.ByteEncoder(m.Key)
			}
			if m.Value != nil {
				sm.Value = sarama.ByteEncoder(m.Value)
			}
			for _, h := range m.Headers {
				sm.Headers = append(sm.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
			}
			batch = append(batch, sm)
		}
		if err := p.SendMessages(batch); err != nil {
			t.Fatal(err)
		}
	},
	"franz": func(t *testing.T, c *kafkatest.Cluster, topic string, codec int, list []message) {
		p := mustFranz(t, c, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(franzCodecs[codec]), kgo.ProducerLinger(200*time.Millisecond))
		var records []*kgo.Record
		for _, m := range list {
			records = append(records, &kgo.Record{Key: m.Key, Value: m.Value, Headers: m.Headers})
		}
		if err := p.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	},
}

var franzCodecs = []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}

func mustFranz(t *testing.T, c *kafkatest.Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(c.Brokers()...)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestBatchesOfEveryProducerAreRead(t *testing.T) {
	want := messages()
	for name, produce := range producers {
		for codec, compression := range compressions {
			t.Run(name+"-"+compression, func(t *testing.T) {
				g := load(t, func(c *kafkatest.Cluster, topic string) { produce(t, c, topic, codec, want) })
				got := g.read(t)
				if len(got) != len(want) || g.End != int64(len(want)) {
					t.Fatalf("%d records before offset %d, want %d", len(got), g.End, len(want))
				}
				for i, r := range got {
					m := want[i]
					h := codecs.AppendHeaderCount(nil, len(m.Headers))
					for _, header := range m.Headers {
						h = codecs.AppendHeader(h, []byte(header.Key), header.Value)
					}
					m.Headers = nil
					if r.Offset != int64(i) || !sameBytes(r.Key, m.Key) || !sameBytes(r.Value, m.Value) || !bytes.Equal(r.Headers, h) {
						t.Errorf("record %d: got %d %q %q %q, want %q %q %q", i, r.Offset, r.Key, r.Value, r.Headers, m.Key, m.Value, h)
					}
				}
			})
		}
	}
}

// What Kafka's log cleaner leaves: batches with holes, and the last of a
// producer without records.
func TestBatchesThatWereCompactedAreRead(t *testing.T) {
	for codec, compression := range compressions {
		t.Run("compacted-"+compression, func(t *testing.T) {
			g := load(t, func(c *kafkatest.Cluster, topic string) { compact(t, c, topic, codec) })
			got := g.read(t)
			seen := map[string]bool{}
			holes := 0
			for i, r := range got {
				if seen[string(r.Key)] && r.Offset < 700 {
					t.Errorf("offset %d: key %s again, compacted though", r.Offset, r.Key)
				}
				if seen[string(r.Key)] = true; i > 0 && r.Offset > got[i-1].Offset+1 {
					holes++
				}
				if want := fmt.Sprint("v", r.Offset); string(r.Value) != want {
					t.Errorf("offset %d: value %s", r.Offset, r.Value)
				}
			}
			if holes < 10 {
				t.Errorf("%d holes among %d records: it was not compacted", holes, len(got))
			}
		})
	}
}

func TestBatchesOfAbortedTransactionsAreLeftOut(t *testing.T) {
	t.Run("transactions", func(t *testing.T) {
		g := load(t, func(c *kafkatest.Cluster, topic string) { transact(t, c, topic) })
		got := g.read(t)
		if len(got) != 60 || len(g.Aborted) < 3 {
			t.Fatalf("%d records, %d transactions aborted", len(got), len(g.Aborted))
		}
		for _, r := range got {
			if !strings.HasPrefix(string(r.Value), "good") {
				t.Errorf("offset %d: %s", r.Offset, r.Value)
			}
		}
	})
}

// transact writes transactions of two producers, interleaved, of which every
// other is aborted, and plain messages between them.
func transact(t *testing.T, c *kafkatest.Cluster, topic string) {
	ctx := t.Context()
	plain := mustFranz(t, c, kgo.DefaultProduceTopic(topic))
	var txs []*kgo.Client
	for i := range 2 {
		txs = append(txs, mustFranz(t, c, kgo.DefaultProduceTopic(topic), kgo.TransactionalID(fmt.Sprint(topic, i)), kgo.ProducerBatchCompression(franzCodecs[1+i*2])))
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	write := func(client *kgo.Client, word string) {
		for i := range 5 {
			must(client.ProduceSync(ctx, &kgo.Record{Value: fmt.Appendf(nil, "%s %d", word, i)}).FirstErr())
		}
	}
	words := [2]string{"good", "bad"}
	for round := range 4 {
		for i, tx := range txs {
			must(tx.BeginTransaction())
			write(tx, words[(round+i)%2])
		}
		write(plain, "good")
		for i, tx := range txs {
			write(tx, words[(round+i)%2])
			must(tx.EndTransaction(ctx, kgo.TransactionEndTry((round+i)%2 == 0)))
		}
	}
}

// compact writes few keys often, has the log cleaned, and writes a little more.
func compact(t *testing.T, c *kafkatest.Cluster, topic string, codec int) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(c.SetTopicConfig(ctx, topic, map[string]string{"cleanup.policy": "compact"}))
	stop, err := c.CompactHard(ctx, topic)
	must(err)
	client := mustFranz(t, c, kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(franzCodecs[codec]), kgo.ProducerLinger(20*time.Millisecond))
	n := 0
	write := func(count, keys int) {
		var records []*kgo.Record
		for range count {
			records = append(records, &kgo.Record{Key: fmt.Appendf(nil, "k%d", n*7919%1009%keys), Value: fmt.Append(nil, "v", n)})
			n++
		}
		must(client.ProduceSync(ctx, records...).FirstErr())
	}
	write(300, 40)
	write(400, 23)
	write(1, 1) // into a segment of its own: that of the others is closed then
	for len(raw(t, c, topic).read(t)) > 100 {
		time.Sleep(300 * time.Millisecond)
		write(1, 1)
	}
	must(stop(ctx))
}

// load reads the golden file of a test, or has it made.
func load(t *testing.T, produce func(c *kafkatest.Cluster, topic string)) *golden {
	t.Helper()
	file := filepath.Join("testdata", filepath.Base(t.Name())+".json")
	if *rewrite {
		c := kafkatest.Shared(t)
		topic := strings.ReplaceAll(filepath.Base(t.Name()), "/", "-")
		c.MustCreateTopic(t, topic, 1, nil)
		produce(c, topic)
		b, err := json.Marshal(raw(t, c, topic))
		if err == nil {
			err = os.WriteFile(file, b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(b, &g); err != nil {
		t.Fatal(err)
	}
	return &g
}

// raw fetches a log from its beginning, as it is.
func raw(t *testing.T, c *kafkatest.Cluster, topic string) *golden {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client := mustFranz(t, c)
	id, err := c.TopicID(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	leader, _, err := c.Leader(ctx, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{End: 1}
	for at := (place{0, -1}); at.next < g.End; { // a response ends with a segment
		req := kmsg.NewPtrFetchRequest()
		req.MaxBytes, req.IsolationLevel, req.SessionEpoch = 64<<20, readCommitted, -1
		rt, rp := kmsg.NewFetchRequestTopic(), kmsg.NewFetchRequestTopicPartition()
		rp.FetchOffset, rp.PartitionMaxBytes = at.next, 64<<20
		rt.TopicID, rt.Partitions = id, append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := client.Broker(leader).Request(ctx, req)
		if err != nil {
			t.Fatal(err)
		}
		p := resp.(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			t.Fatal(err)
		}
		g.Batches, g.Aborted, g.End = append(g.Batches, p.RecordBatches...), append(g.Aborted, p.AbortedTransactions...), p.LastStableOffset
		at = endOf(p.RecordBatches, at)
	}
	return g
}

// read walks a golden file to its end, and compares with franz-go.
func (g *golden) read(t *testing.T) []logs.Record {
	t.Helper()
	var w walker
	h := &hearer{t: t}
	portion := func() *portion {
		return &portion{batches: g.Batches, aborted: append(g.Aborted[:0:0], g.Aborted...), stable: g.End}
	}
	to, more, err := w.walk(portion(), place{0, -1}, h)
	if err != nil || !more || to.next != g.End {
		t.Fatalf("came to %v of %d, more %t: %v", to, g.End, more, err)
	}
	if d := differ(h.got, byFranz(t, portion(), 0)); d != "" {
		t.Fatal(errors.New(d))
	}
	return h.got
}
