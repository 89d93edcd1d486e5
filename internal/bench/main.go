// Command bench measures what counting costs, on Apache Kafka, in one run.
//
// The broker and the client under test never share a CPU where there are two
// or more: the first CPU is the client's, the others are the broker's. Each pass
// is a process of its own, this program started again, which reads the same
// messages from the first to the last:
//
//	raw    sarama's partition consumers with the settings of our reader, and
//	       nothing done with what they read
//	count  the counting processor as it is deployed: JSON event time, latency
//	       bins, fingerprint and power sums, flushes, progress
//
// A pass measures from the first message to the last: wall clock, and the CPU
// time of the whole process. Passes alternate, a pair gives a ratio, and a
// figure is the median of the pairs; machines drift by more from one minute to
// the next than what is measured here. Every counting pass has topics of its
// own on the broker, counts everything anew, and is checked: the records on its
// audit topic must add up to what was produced, per partition and window.
//
// Then one process counts a thousand topics, and its memory is read when all of
// their windows are on the audit topic.
//
// With -only bounds the real program is measured instead where there is much of
// everything: bounds.go.
//
// Results are lines "figure NAME VALUE aim <=|>= VALUE ok|short", without the aim
// where there is none, each below a line with its unit or spread. The exit status
// is 1 if anything was counted wrong or could not be measured; a figure that is
// short of its aim is only said. Where client and broker are pinned to one CPU
// each, the rate is little more than the inverse of the cost.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

type options struct {
	pairs      int // measured ones; a warm-up pair comes before
	messages   int
	partitions int
	topics     int
	profiles   string
	only       string
	// Of bounds.
	limit    string
	catchUp  int
	distinct int
}

func main() {
	// The flags of a pass are set by the parent.
	var o options
	var p pass
	flag.IntVar(&o.pairs, "pairs", 5, "measured pairs of passes, raw and count in turn")
	flag.IntVar(&o.messages, "messages", 4_000_000, "messages of a pass")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions of the topic that is read")
	flag.IntVar(&o.topics, "topics", 1000, "topics of the large memory pass; each has 4 partitions and 6 windows")
	flag.StringVar(&o.profiles, "profiles", "", "folder for CPU and heap profiles of the passes, which slow them down; empty for none")
	flag.StringVar(&o.only, "only", "", "rate or memory; empty for both. Or bounds, or a part of that: rows, scatter, catch-up")
	flag.StringVar(&o.limit, "limit", "512MiB", "of bounds: memory.limit of the instances")
	flag.IntVar(&o.catchUp, "catch-up", 2_000_000, "of bounds: messages to catch up in all topics together")
	flag.IntVar(&o.distinct, "distinct", 1_000_000, "of bounds: messages of the scattered source, each in a window of its own")
	p.flags()
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := func() error { return bench(ctx, o) }
	if p.kind != "" {
		run = func() error { return p.run(ctx) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// bench is the whole run.
func bench(ctx context.Context, o options) error {
	begin := time.Now()
	client, server := split(cpus())
	fmt.Printf("client on CPU %v, broker on CPU %v, %s, GOGC %s\n", client, server, runtime.Version(), gogc())

	if err := pin(server); err != nil { // the broker inherits it
		return err
	}
	kafka, err := kafkatest.Start(ctx, kafkatest.Options{Heap: "1g", Config: map[string]string{
		"log.index.size.max.bytes": "1048576", // thousands of partitions: each preallocates two
	}})
	if err != nil {
		return err
	}
	defer kafka.Close()
	r := &runner{o: o, kafka: kafka, client: client, server: server}

	if o.only != "" && o.only != "rate" && o.only != "memory" {
		if err := r.bounds(ctx); err != nil {
			return err
		}
		fmt.Printf("took %s\n", time.Since(begin).Round(time.Second))
		return nil
	}
	if o.only != "memory" {
		const plain, lz4 = "bench-none", "bench-lz4"
		fmt.Printf("filling %s and %s with %d messages\n", plain, lz4, o.messages)
		want, err := r.fill(ctx, fillOrder{Topics: []fillTopic{{plain, "none"}, {lz4, "lz4"}}, Partitions: o.partitions, Messages: o.messages})
		if err != nil {
			return err
		}
		if err := r.rates(ctx, "200B", plain, o.pairs, want, aims{cpu: 1.30, rate: 0.85}); err != nil {
			return err
		}
		if err := r.rates(ctx, "200B-lz4", lz4, min(o.pairs, 3), want, aims{}); err != nil {
			return err
		}
	}
	if o.only != "rate" {
		if err := r.memory(ctx, 1, 0); err != nil {
			return err
		}
		if err := r.memory(ctx, o.topics, 300); err != nil {
			return err
		}
	}
	fmt.Printf("took %s\n", time.Since(begin).Round(time.Second))
	return nil
}

func gogc() string {
	if v := os.Getenv("GOGC"); v != "" {
		return v
	}
	return "100"
}
