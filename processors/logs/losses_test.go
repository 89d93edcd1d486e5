package logs_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// produceFat writes records of a kilobyte that no codec makes smaller, more than
// a reader has fetched when it pauses.
func produceFat(t *testing.T, c *kafkatest.Cluster, src audit.Source, n int) {
	t.Helper()
	list := numbered(src, 0, n)
	for _, r := range list {
		r.Value = make([]byte, 1000)
		rand.Read(r.Value)
	}
	for some := range slices.Chunk(list, 500) { // in several batches
		produce(t, c, some...)
	}
}

func TestRetentionThatOvertakesIsTold(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		produceFat(t, c, src, 5000)
		s := &sink{pauseAt: 1}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "something", func() bool { return len(s.got) > 0 })
		if err := c.DeleteRecords(t.Context(), src.Topic, 0, 4990); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		s.pauseAt = 0
		s.mu.Unlock()
		r.Resume(src)
		s.await(t, "the loss", func() bool { return s.lost != nil })
		out, ok := errors.AsType[*logs.OutOfRange](s.lost)
		if !ok || out.Offset != s.next || s.next >= 4990 {
			t.Fatalf("read up to %d: %v", s.next, s.lost)
		}
		again := &sink{}
		if err := r.Open(src, logs.At(4990), again); err != nil {
			t.Fatal(err)
		}
		again.await(t, "the rest", func() bool { return len(again.got) == 10 })
		if r.exact {
			again.await(t, "where the log starts", func() bool { return again.start == 4990 })
		}
	})
}

func TestATopicThatIsDeletedIsTold(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src, other := topic(t, c, 2, nil), topic(t, c, 1, nil)
		second := src
		second.Partition = 1
		sinks := map[audit.Source]*sink{src: {}, second: {}, other: {}}
		for x, s := range sinks {
			produce(t, c, numbered(x, 0, 10)...)
			if err := r.Open(x, logs.At(0), s); err != nil {
				t.Fatal(err)
			}
			s.await(t, "records", func() bool { return len(s.got) == 10 })
		}
		if err := c.DeleteTopic(t.Context(), src.Topic); err != nil {
			t.Fatal(err)
		}
		for _, x := range []audit.Source{src, second} {
			s := sinks[x]
			s.await(t, "the loss", func() bool { return s.lost != nil })
			if r.exact && !errors.Is(s.lost, logs.ErrGone) {
				t.Errorf("%v", s.lost)
			}
		}
		produce(t, c, numbered(other, 10, 10)...)
		sinks[other].await(t, "the other topic", func() bool { return len(sinks[other].got) == 20 })
	})
}

// A topic made again has another id; by its name alone one would be taken for the
// other.
func TestATopicThatIsMadeAgainIsAnotherOne(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		if !r.exact {
			t.Skip("sarama knows topics by name")
		}
		src := topic(t, c, 1, nil)
		produce(t, c, numbered(src, 0, 10)...)
		s := &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "records", func() bool { return len(s.got) == 10 })
		if err := c.DeleteTopic(t.Context(), src.Topic); err != nil {
			t.Fatal(err)
		}
		c.MustCreateTopic(t, src.Topic, 1, nil)
		produce(t, c, numbered(src, 0, 30)...)
		s.await(t, "the loss", func() bool { return s.lost != nil })
		if !errors.Is(s.lost, logs.ErrGone) && !errors.Is(s.lost, logs.ErrRecreated) || len(s.got) != 10 {
			t.Errorf("%d records, lost: %v", len(s.got), s.lost)
		}
		again := &sink{}
		if err := r.Open(src, logs.At(0), again); err != nil {
			t.Fatal(err)
		}
		again.await(t, "the loss", func() bool { return again.lost != nil })
		if !errors.Is(again.lost, logs.ErrRecreated) || len(again.got) > 0 {
			t.Errorf("%d records, lost: %v", len(again.got), again.lost)
		}
		now := src
		id, err := c.TopicID(t.Context(), src.Topic)
		if err != nil {
			t.Fatal(err)
		}
		now.TopicID = id
		s = &sink{}
		if err := r.Open(now, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "the new one", func() bool { return len(s.got) == 30 })
	})
}

// Whoever wrote a log, with whatever codec: all readers see the same.
func TestAllReadersSeeTheSame(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		src := topic(t, c, 1, map[string]string{"max.message.bytes": "8000000"})
		for codec := range 5 {
			writeMixed(t, c, src, codec)
		}
		transaction(t, c, src, 0, 3, kgo.TryAbort)
		transaction(t, c, src, 0, 3, kgo.TryCommit)
		var first *sink
		for _, kind := range readers {
			r := mustOpen(t, kind.open, c.Brokers(), kind.exact)
			s := &sink{}
			if err := r.Open(src, logs.At(0), s); err != nil {
				t.Fatal(err)
			}
			s.await(t, "the last transaction", func() bool { n := len(s.got); return n > 3 && string(s.got[n-1].Value) == "2" })
			if first == nil {
				first = s
				continue
			}
			if len(s.got) != len(first.got) {
				t.Fatalf("%s: %d records, and the first reader %d", kind.name, len(s.got), len(first.got))
			}
			for i, a := range first.got {
				b := s.got[i]
				if a.Offset != b.Offset || a.Time != b.Time || !same(a.Key, b.Key) || !same(a.Value, b.Value) || !slices.Equal(pairs(a), pairs(b)) {
					t.Errorf("%s: %+v, and the first reader %+v", kind.name, b, a)
				}
			}
		}
	})
}

func same(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func pairs(r logs.Record) (list []string) {
	for k, v := range r.Headers.All() {
		list = append(list, fmt.Sprintf("%s=%q %t", k, v, v == nil))
	}
	return list
}

// writeMixed has sarama and franz-go write records of all shapes with a codec.
func writeMixed(t *testing.T, c *kafkatest.Cluster, src audit.Source, codec int) {
	t.Helper()
	values := [][]byte{nil, {}, []byte("x"), bytes.Repeat([]byte("abcdefg "), 30), bytes.Repeat([]byte("0123456789"), 200_000)}
	franz, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.ProducerBatchMaxBytes(8<<20), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression([]kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}[codec]))
	if err != nil {
		t.Fatal(err)
	}
	defer franz.Close()
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Compression = sarama.CompressionCodec(codec)
	config.Producer.Return.Successes = true
	config.Producer.MaxMessageBytes = 8 << 20
	other, err := sarama.NewSyncProducer(c.Brokers(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for i, v := range values {
		key := []byte("key")
		if i%2 == 0 {
			key = nil
		}
		at := time.UnixMilli(1790000000000 + int64(i))
		r := &kgo.Record{Topic: src.Topic, Key: key, Value: v, Timestamp: at, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "n"}}}
		m := &sarama.ProducerMessage{Topic: src.Topic, Timestamp: at, Headers: []sarama.RecordHeader{{Key: []byte("h"), Value: []byte("1")}}}
		if key != nil {
			m.Key = sarama.ByteEncoder(key)
		}
		if v != nil {
			m.Value = sarama.ByteEncoder(v)
		}
		if err := franz.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := other.SendMessage(m); err != nil {
			t.Fatal(err)
		}
	}
}

// A broker that throttles answers late, or with nothing, and all comes in the end.
func TestThrottlingIsNoLoss(t *testing.T) {
	for _, kind := range readers {
		t.Run(kind.name, func(t *testing.T) {
			c := kafkatest.Shared(t)
			src := topic(t, c, 1, nil)
			produceFat(t, c, src, 4000)
			throttle(t, c, 300_000)
			defer throttle(t, c, 0)
			r := mustOpen(t, kind.open, c.Brokers(), kind.exact)
			s := &sink{}
			begin := time.Now()
			if err := r.Open(src, logs.At(0), s); err != nil {
				t.Fatal(err)
			}
			s.await(t, "all of it", func() bool { return len(s.got) == 4000 })
			if s.lost != nil {
				t.Error(s.lost)
			}
			// Kafka looks at ten seconds: 400 kB/s, for which it takes a break of 3 s.
			if took := time.Since(begin); took < time.Second {
				t.Errorf("4 MB took %s: it was not throttled", took)
			}
		})
	}
}

// throttle sets how many bytes a second consumers may read; 0 is all they want.
func throttle(t *testing.T, c *kafkatest.Cluster, bytes float64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	req := kmsg.NewPtrAlterClientQuotasRequest()
	entry := kmsg.NewAlterClientQuotasRequestEntry()
	entity := kmsg.NewAlterClientQuotasRequestEntryEntity()
	entity.Type = "client-id"
	entry.Entity = append(entry.Entity, entity)
	op := kmsg.NewAlterClientQuotasRequestEntryOp()
	op.Key, op.Value, op.Remove = "consumer_byte_rate", bytes, bytes == 0
	entry.Ops = append(entry.Ops, op)
	req.Entries = append(req.Entries, entry)
	resp, err := req.RequestWith(t.Context(), client)
	if err == nil {
		err = kerr.ErrorForCode(resp.Entries[0].ErrorCode)
	}
	if err != nil && !strings.Contains(err.Error(), "context canceled") {
		t.Fatal(err)
	}
}
