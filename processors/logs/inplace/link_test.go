package inplace

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

func TestALinkIsAskedForWhatItCarries(t *testing.T) {
	const share = mostBytes
	l := link{room: mostBytes}
	if n := l.ask(share, true); n != mostOfOne || l.slow {
		t.Errorf("%d bytes, slow %t, where little is likely", n, l.slow)
	}
	if n := l.ask(share, false); n != mostBytes || !l.slow {
		t.Errorf("%d bytes, slow %t, where much is likely", n, l.slow)
	}
	l.bad(time.Second, hungAfter)
	if l.room != mostBytes {
		t.Error("a connection that breaks at once says nothing")
	}
	l.bad(slowAfter, hungAfter)
	if n := l.ask(share, false); n != mostBytes/2 {
		t.Errorf("%d bytes after a failure", n)
	}
	for range 10 {
		l.ask(share, true)
		l.bad(slowAfter, hungAfter)
	}
	if n := l.ask(share, true); n != leastBytes || !l.slow {
		t.Errorf("%d bytes, slow %t, after many failures", n, l.slow)
	}
	l.good(leastBytes, 10*time.Second, hungAfter)
	if l.room != leastBytes {
		t.Error("more is asked for although it took long")
	}
	l.good(leastBytes, time.Second, hungAfter)
	if n := l.ask(share, true); n != 2*leastBytes {
		t.Errorf("%d bytes after a full answer", n)
	}
	for range 1000 {
		l.good(0, time.Second, hungAfter)
	}
	if n := l.ask(share, false); n != mostBytes {
		t.Errorf("%d bytes after many good answers", n)
	}
	if n := l.ask(leastBytes, false); n != leastBytes {
		t.Errorf("%d bytes, more than the share", n)
	}
}

// sized is a sink that counts bytes.
type sized struct {
	bytes atomic.Int64
	lost  atomic.Pointer[error]
}

func (s *sized) Batch(b *logs.Batch) bool {
	for _, r := range b.Records {
		s.bytes.Add(int64(len(r.Value)))
	}
	return true
}

func (s *sized) Lost(err error) { s.lost.Store(&err) }

// A narrow connection lets so many bytes through in a second, together with others.
type narrow struct {
	net.Conn
	mu   *sync.Mutex
	rate int
}

func (c narrow) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b[:min(len(b), 32<<10)])
	c.mu.Lock()
	defer c.mu.Unlock()
	time.Sleep(time.Duration(n) * time.Second / time.Duration(c.rate))
	return n, err
}

func produceBytes(t *testing.T, c *kfake.Cluster, partitions int32, each, size int) {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(64<<10), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer producer.Close()
	for p := range partitions {
		for range each {
			producer.Produce(t.Context(), &kgo.Record{Topic: "t", Partition: p, Value: make([]byte, size)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A full response takes longer than the time that there is for it: then less is asked
// for, until it comes.
func TestANarrowLinkIsReadOver(t *testing.T) {
	const partitions, each, size = 6, 50, 10 << 10
	c := mustCluster(t, kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t"))
	produceBytes(t, c, partitions, each, size)
	var mu sync.Mutex
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return narrow{conn, &mu, 1 << 20}, err
	}
	r, err := newReader(Options{Client: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(dial)}}, 500*time.Millisecond, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	r.patience = time.Minute
	t.Cleanup(func() { r.Shutdown(context.Background()) })
	var s sized
	for p := range int32(partitions) {
		if err := r.Open(sourceOf(c, "t", p), logs.At(0), &s); err != nil {
			t.Fatal(err)
		}
	}
	awaitThat(t, "all of it", func() bool { return s.bytes.Load() == partitions*each*size })
	if err := s.lost.Load(); err != nil {
		t.Error(*err)
	}
}

// A broker that hangs while it may be sending much is waited for, but its sources are
// not when others lead them.
func TestWhatABrokerThatHangsHasLedIsReadElsewhere(t *testing.T) {
	const each, size = 100, 10 << 10
	c := mustCluster(t, kfake.NumBrokers(2), kfake.SeedTopics(1, "t"))
	produceBytes(t, c, 1, each, size)
	leader := c.LeaderFor("t", 0)
	release := make(chan struct{})
	defer close(release)
	var fetches, hung atomic.Int64
	c.ControlKey(fetchKey, func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if c.CurrentNode() == leader && fetches.Add(1) > 1 { // behind an answer that is large
			hung.Add(1)
			c.SleepControl(func() { <-release })
		}
		return nil, nil, false
	})
	r, err := newReader(Options{Client: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}, 500*time.Millisecond, 5*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Shutdown(context.Background()) })
	var s sized
	if err := r.Open(sourceOf(c, "t", 0), logs.At(0), &s); err != nil {
		t.Fatal(err)
	}
	awaitThat(t, "a fetch that hangs", func() bool { return hung.Load() == 1 })
	if err := c.MoveTopicPartition("t", 0, 1-leader); err != nil {
		t.Fatal(err)
	}
	produceBytes(t, c, 1, 1, size)
	awaitThat(t, "the rest", func() bool { return s.bytes.Load() == (each+1)*size })
	if err := s.lost.Load(); err != nil {
		t.Error(*err)
	}
}
