package logs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// transaction writes numbered records and ends as told.
func transaction(t *testing.T, c *kafkatest.Cluster, src audit.Source, from, n int, end kgo.TransactionEndTry) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID(kafkatest.Name(t, "tx")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), numbered(src, from, n)...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := client.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

// Markers and aborted records have offsets, and behind the last of them is the
// end of the log: a reader that knows comes to it.
func TestPositionIsExactBehindWhatIsNotHandedOver(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		produce(t, c, numbered(src, 0, 5)...)
		transaction(t, c, src, 5, 5, kgo.TryCommit) // 5 to 9, marker at 10
		s := &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		s.await(t, "ten records", func() bool { return len(s.got) == 10 })
		if !r.exact {
			s.await(t, "the position behind the last record", func() bool { return s.next == 10 })
			return
		}
		s.await(t, "the position behind the marker", func() bool { return s.next == 11 && s.stable == 11 && s.start == 0 && s.epoch >= 0 })
		transaction(t, c, src, 11, 7, kgo.TryAbort) // 11 to 17, marker at 18
		s.await(t, "the position behind what was aborted", func() bool { return s.next == 19 && s.stable == 19 && len(s.got) == 10 })
	})
}

// A transaction that is open hides what lies behind its beginning, of everybody.
func TestOpenTransactionsAreWaitedFor(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, nil)
		for _, commit := range []bool{true, false} {
			s := &sink{}
			if err := r.Open(src, logs.At(0), s); err != nil {
				t.Fatal(err)
			}
			s.mu.Lock()
			before := len(s.got)
			s.mu.Unlock()
			tx, err := c.HangingTransaction(t.Context(), src.Topic, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			at := tx.Offsets[0]
			produce(t, c, numbered(src, 100, 10)...)
			if r.exact {
				s.await(t, "the position before the transaction", func() bool { return s.next == at && s.stable == at })
			}
			s.mu.Lock()
			if n := len(s.got); n > 0 && s.got[n-1].Offset >= at {
				t.Errorf("offset %d was handed over, and the transaction at %d is open", s.got[n-1].Offset, at)
			}
			s.mu.Unlock()
			if err := tx.End(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
			s.await(t, "what lies behind", func() bool { return len(s.got) >= before+10 && s.got[len(s.got)-1].Offset >= at+10 })
			s.mu.Lock()
			if seen := s.got[len(s.got)-11].Offset == at; seen != commit {
				t.Errorf("record of the transaction handed over: %t, committed: %t", seen, commit)
			}
			s.mu.Unlock()
			if r.exact {
				s.await(t, "the end", func() bool { return s.next == at+12 && s.stable == at+12 })
			}
			r.Close(src)
		}
	})
}

// Compaction takes records out of batches, and whole batches. The embedded broker
// even leaves nothing before an open transaction, where Apache Kafka leaves the
// marks of deletion until it cleans again: then nothing ever comes that would say
// where the position is.
func TestPositionIsExactBehindWhatWasCompactedAway(t *testing.T) {
	everywhere(t, func(t *testing.T, c *kafkatest.Cluster, r reader) {
		src := topic(t, c, 1, map[string]string{"cleanup.policy": "compact", "delete.retention.ms": "0"})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		stop, err := c.CompactHard(ctx, src.Topic)
		if err != nil {
			t.Fatal(err)
		}
		// Not idempotent: of a producer that it knows Kafka keeps the last batch.
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.DisableIdempotentWrite(), kgo.DefaultProduceTopic(src.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		write := func(key string, value []byte) int64 {
			t.Helper()
			r, err := client.ProduceSync(ctx, &kgo.Record{Key: []byte(key), Value: value}).First()
			if err != nil {
				t.Fatal(err)
			}
			return r.Offset
		}
		write("stays", []byte("the embedded broker moves the log's start behind what it takes"))
		for i := range 30 {
			write(fmt.Sprint("k", i%7), fmt.Append(nil, i))
		}
		end := int64(0)
		for i := range 7 {
			end = write(fmt.Sprint("k", i), nil) + 1
		}
		// The transaction begins in a segment of its own, so that the one before it
		// is closed and can be cleaned.
		time.Sleep(300 * time.Millisecond) // segment.ms of CompactHard
		tx, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.TransactionalID(kafkatest.Name(t, "tx")), kgo.DefaultProduceTopic(src.Topic))
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Close()
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if open, err := tx.ProduceSync(ctx, &kgo.Record{Key: []byte("open"), Value: []byte("open")}).First(); err != nil || open.Offset != end {
			t.Fatalf("the transaction begins at %d, want %d: %v", open.Offset, end, err)
		}
		var s *sink
		read := func() int {
			s = &sink{}
			if err := r.Open(src, logs.At(0), s); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
			r.Close(src)
			return len(s.got)
		}
		left := read()
		for ; left == 0 || left > 8; left = read() {
			if ctx.Err() != nil {
				t.Fatalf("the log was not cleaned: %d records", left)
			}
		}
		if err := stop(ctx); err != nil {
			t.Fatal(err)
		}
		s = &sink{}
		if err := r.Open(src, logs.At(0), s); err != nil {
			t.Fatal(err)
		}
		if r.exact {
			s.await(t, "the position before the transaction", func() bool { return s.next == end && s.stable == end && len(s.got) <= left })
		}
		if err := tx.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
		s.await(t, "the record of the transaction", func() bool { return len(s.got) > 1 && s.got[len(s.got)-1].Offset == end })
		if r.exact {
			s.await(t, "the end", func() bool { return s.next == end+2 && s.stable == end+2 })
		}
	})
}
