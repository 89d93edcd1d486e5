// Command bench measures what counting costs, on Apache Kafka, in one run.
//
// The broker and the client under test never share a CPU where there are two
// or more: the first CPU is the client's, the others are the broker's. Each pass
// is a process of its own, this program started again, which reads the same
// messages from the first to the last:
//
//	raw      sarama's partition consumers with the settings of our reader, and
//	         nothing done with what they read
//	franz    franz-go, as much at a time, and nothing done with it
//	loop     what people write by hand: franz-go, gjson, a map of counts
//	count    the counting processor as it is deployed: JSON event time, latency
//	         bins, fingerprint and power sums, flushes, progress
//	inplace  the same, and topics read in place
//	record   the same again, by record timestamp in place of the JSON event time
//
// Counting passes let their heap grow to a floor before they collect garbage, as every
// instance does (internal/heap); the others go by Go's rule, as people's loops do.
//
// A pass measures from the first message to the last: wall clock, and the CPU
// time of the whole process. Passes take turns, each round gives ratios, and a
// figure is the median of the rounds; machines drift by more from one minute to
// the next than what is measured here. Every counting pass has topics of its
// own on the broker, counts everything anew, and is checked: the records on its
// audit topic must add up to what was produced, per partition and window.
//
// Then both readers, without the counting, open four thousand partitions in which
// hardly anything comes. And one process counts a thousand topics, and its memory
// is read when all of their windows are on the audit topic.
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
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/internal/figures"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

type options struct {
	rounds     int // measured ones; one to warm up comes before
	messages   int
	logs       string
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
	flag.IntVar(&o.rounds, "rounds", 5, "measured rounds over the log of 200 B without compression; at most 3 over others")
	flag.IntVar(&o.messages, "messages", 4_000_000, "messages of 200 B in a pass; of 1 KB a quarter")
	flag.StringVar(&o.logs, "logs", "200B,200B-lz4,200B-zstd,1KB,1KB-lz4,1KB-zstd", "logs that are read at full speed")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions of the topic that is read")
	flag.IntVar(&o.topics, "topics", 1000, "topics of the large memory pass; each has 4 partitions and 6 windows")
	flag.StringVar(&o.profiles, "profiles", "", "folder for CPU and heap profiles of the passes, which slow them down; empty for none")
	flag.StringVar(&o.only, "only", "", "rate, json, idle or memory; empty for all. Or bounds, or a part of that: rows, scatter, catch-up")
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

	if o.only != "" && o.only != "rate" && o.only != "json" && o.only != "idle" && o.only != "memory" {
		if err := r.bounds(ctx); err != nil {
			return err
		}
		fmt.Printf("took %s\n", time.Since(begin).Round(time.Second))
		return nil
	}
	wants := func(part string) bool { return o.only == "" || o.only == part }
	if wants("rate") {
		if err := r.rates(ctx); err != nil {
			return err
		}
	}
	if wants("json") {
		if err := r.json(ctx); err != nil {
			return err
		}
	}
	if wants("idle") {
		if err := r.idle(ctx, min(o.rounds, 3)); err != nil {
			return err
		}
	}
	if wants("memory") {
		if err := r.memory(ctx, 1, figures.Aim{}); err != nil {
			return err
		}
		if err := r.memory(ctx, o.topics, figures.AtMost(300)); err != nil {
			return err
		}
	}
	fmt.Printf("took %s\n", time.Since(begin).Round(time.Second))
	return nil
}

// rates fills the logs that are wanted and compares all kinds of passes over them.
func (r *runner) rates(ctx context.Context) error {
	small200 := map[string]figures.Aim{"inplace-rate-over-raw": figures.AtLeast(1.7), "inplace-rate-over-loop": figures.AtLeast(1.4), "inplace-cpu-over-loop": figures.AtMost(0.65)}
	large1000 := map[string]figures.Aim{"inplace-rate-over-loop": figures.AtLeast(1.2)}
	for _, log := range []struct {
		name           string
		size, messages int
		aims           map[string]figures.Aim
	}{{"200B", small, r.o.messages, small200}, {"1KB", large, r.o.messages / 4, large1000}} {
		order := fillOrder{Partitions: r.o.partitions, Messages: log.messages, Size: log.size}
		var all []comparison
		for _, codec := range []string{"none", "lz4", "zstd"} {
			c := comparison{name: log.name + "-" + codec, topic: "bench-" + log.name + "-" + codec, rounds: min(r.o.rounds, 3), aims: maps.Clone(log.aims)}
			if codec == "none" {
				c.name = log.name
			}
			if c.name == "200B" {
				c.rounds = r.o.rounds
				c.aims["cpu-ratio"], c.aims["rate-ratio"] = figures.AtMost(1.30), figures.AtLeast(0.85)
			}
			if slices.Contains(strings.Split(r.o.logs, ","), c.name) {
				all = append(all, c)
				order.Topics = append(order.Topics, fillTopic{c.topic, codec})
			}
		}
		if len(all) == 0 {
			continue
		}
		fmt.Printf("filling %d logs of %s with %d messages\n", len(all), log.name, log.messages)
		want, err := r.fill(ctx, order)
		if err != nil {
			return err
		}
		for _, c := range all {
			if err := r.compare(ctx, c, want); err != nil {
				return err
			}
		}
	}
	return nil
}

func gogc() string {
	if v := os.Getenv("GOGC"); v != "" {
		return v
	}
	return "100"
}
