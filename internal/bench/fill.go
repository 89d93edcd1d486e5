package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	windowSize = 10 * time.Minute
	windowMs   = int64(windowSize / time.Millisecond)
	windows    = 6
	small      = 200 // bytes of a value
	large      = 1000
)

// A cell is where messages count: the source and the start of the window, in
// Unix seconds. A truth says how many are in each, and their bytes.
type (
	cell  string
	tally struct{ Count, Bytes uint64 }
	truth map[cell]tally
)

func cellOf(topic string, partition int32, window int64) cell {
	return cell(fmt.Sprintf("%s/%d/%d", topic, partition, window))
}

func (t truth) add(c cell, count, bytes uint64) {
	x := t[c]
	t[c] = tally{x.Count + count, x.Bytes + bytes}
}

// A fillOrder asks for topics with the same messages, each with its compression.
type fillOrder struct {
	Topics     []fillTopic
	Partitions int
	Messages   int // in each topic
	// Windows that the event times lie in, 6 if zero, and the beginning of the first,
	// in Unix milliseconds; if zero, so that the last one ended an hour ago.
	Windows int64
	Base    int64
	Size    int // bytes of a value
	// Spread makes latencies of a millisecond as likely as of fifteen minutes, so
	// that their bins lie far apart; else most are below two seconds and one in
	// twenty is of minutes.
	Spread bool
	// Plain makes all of a message fall into the window of its record timestamp, so that
	// it counts the same by either, and puts the event time into the middle of it.
	Plain bool
}

type fillTopic struct{ Name, Compression string }

// fill writes the messages and says what they are; cells are named without a
// topic, as they are the same in each.
func fill(ctx context.Context, brokers []string, o fillOrder) (truth, error) {
	codec := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	clients := map[string]*kgo.Client{}
	for _, t := range o.Topics {
		if clients[t.Compression] != nil {
			continue
		}
		c, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec[t.Compression]),
			kgo.ProducerBatchMaxBytes(64<<10), kgo.ProducerLinger(50*time.Millisecond), kgo.MaxBufferedRecords(20_000))
		if err != nil {
			return nil, fmt.Errorf("fill: %w", err)
		}
		defer c.Close()
		clients[t.Compression] = c
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	acked := func(_ *kgo.Record, err error) {
		if err != nil {
			cancel(err)
		}
	}

	rng := rand.New(rand.NewPCG(1, 1))
	if o.Windows == 0 {
		o.Windows = windows
	}
	if o.Base == 0 {
		o.Base = baseOf(o.Windows)
	}
	want := truth{}
	names := map[[2]int64]cell{} // so that they are not formatted for each message
	for i := range o.Messages {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("fill: %w", context.Cause(ctx))
		}
		partition := int32(i % o.Partitions)
		event, stamp := times(rng, i, o)
		record := kgo.Record{Partition: partition, Key: fmt.Appendf(nil, "u%08d", rng.IntN(50_000_000)), Value: document(rng, event, i, o), Timestamp: time.UnixMilli(stamp)}
		for _, t := range o.Topics {
			r := record
			r.Topic = t.Name
			clients[t.Compression].Produce(ctx, &r, acked)
		}
		at := [2]int64{int64(partition), event / windowMs * windowMs / 1000}
		name, ok := names[at]
		if !ok {
			name = cellOf("", partition, at[1])
			names[at] = name
		}
		want.add(name, 1, uint64(len(record.Key)+len(record.Value)))
	}
	for _, c := range clients {
		_ = c.Flush(ctx) // fails with ctx only
	}
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("fill: %w", err)
	}
	return want, nil
}

// baseOf is where so many windows begin, the last of which has ended: far enough
// back that no record is from the future, which brokers refuse.
func baseOf(windows int64) int64 {
	return time.Now().Add(-time.Hour).UnixMilli()/windowMs*windowMs - windows*windowMs
}

// times are an event time in one of the windows, and the record timestamp after it.
func times(rng *rand.Rand, i int, o fillOrder) (event, stamp int64) {
	base, span := o.Base, o.Windows*windowMs
	if o.Spread {
		event = base + int64(i/o.Partitions)%o.Windows*windowMs + rng.Int64N(windowMs)
		return event, event + int64(math.Exp(rng.Float64()*math.Log(15*60*1000)))
	}
	now := base + int64(i)*span/int64(o.Messages)
	late := rng.Int64N(2_000)
	switch x := rng.IntN(100); {
	case x >= 95:
		late = rng.Int64N(15 * 60_000)
	case x >= 80:
		late = rng.Int64N(60_000)
	}
	if o.Plain {
		stamp = now + 5
		return max(stamp/windowMs*windowMs, stamp-late%2_000), stamp
	}
	return max(base, now-late), now + 5
}

var (
	services = []string{"checkout", "search", "cart", "payments", "profile", "catalog", "shipping", "gateway"}
	methods  = []string{"GET", "GET", "GET", "POST", "PUT"}
)

// document is JSON with the event time near its beginning, or in its middle.
func document(r *rand.Rand, ts int64, i int, o fillOrder) []byte {
	b := make([]byte, 0, o.Size+64)
	b = fmt.Appendf(b, `{"id":"%016x%08x","service":"%s","host":"web-%04d",`, r.Uint64(), i, services[r.IntN(len(services))], r.IntN(400))
	if !o.Plain {
		b = fmt.Appendf(b, `"ts":%d,`, ts)
	}
	b = fmt.Appendf(b, `"method":"%s","path":"/api/v1/items/%d","status":%d,`, methods[r.IntN(len(methods))], r.IntN(1_000_000), 200+r.IntN(3)*100)
	said := !o.Plain
	for n := 0; len(b) < o.Size-small || !said; n++ {
		if !said && len(b) >= o.Size/2 {
			b, said = fmt.Appendf(b, `"ts":%d,`, ts), true
			continue
		}
		b = fmt.Appendf(b, `"attr_%02d":"%s-%d",`, n, services[r.IntN(len(services))], r.IntN(100_000))
	}
	b = fmt.Appendf(b, `"dur_us":%d,"note":"`, r.IntN(100_000))
	for len(b) < o.Size-2 {
		b = append(b, 'a'+byte(r.IntN(26)))
	}
	return append(b, '"', '}')
}
