// Demo shows a pipeline and what chaperone says of it: applications in two datacenters
// send messages to the proxy of theirs, the proxies to a regional Kafka cluster each, and
// a copier from these to an aggregate cluster. Applications and proxies count themselves
// with the audit library; chaperone counts the clusters. All of it runs in this process,
// on embedded brokers and the embedded ClickHouse. What is counted is compared with what
// has passed: on the audit topic, in ClickHouse, and by REST; and the verdicts with what
// was done to messages on their way.
//
//	make demo                          goes on until interrupted
//	make demo ONCE=1                   ends after the first full agreement, status 0, or says what differs, status 1
//	make demo FAULTS="-lose 0.01"      one message in a hundred gets lost: see where
//	make demo-kafka                    the same on Apache Kafka, with MirrorMaker 2 in place of the copier
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
)

var (
	once  = flag.Bool("once", false, "end after the first full agreement")
	rate  = flag.Float64("rate", 500, "messages per second that the applications send")
	burst = flag.Duration("burst", 8*time.Second, "how long they send before what is counted is compared")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of messages and faults")
	loud  = flag.Bool("v", false, "show the log")
	real  = flag.Bool("kafka", false, "on three clusters of Apache Kafka, with MirrorMaker 2 between them")
	fault faults
)

// windowSize is that of all tiers: ten minutes, in production.
const windowSize = 10 * time.Second

// grace is how long after a window ends its messages may be on their way. MirrorMaker 2
// takes its time.
func grace() time.Duration {
	if *real {
		return 15 * time.Second
	}
	return 5 * time.Second
}

func main() {
	clickhouse.RunChildIfAsked()
	flag.Float64Var(&fault.lose, "lose", 0, "share of messages to lose")
	flag.Float64Var(&fault.duplicate, "duplicate", 0, "share of messages to send twice")
	flag.Float64Var(&fault.alter, "alter", 0, "share of messages to change on their way")
	flag.DurationVar(&fault.delay, "delay", 0, "how long to hold back each message")
	flag.StringVar(&fault.hop, "at", hopMirror, "hop at which that happens: client (to the proxy), proxy (to the regional cluster) or mirror (to the aggregate)")
	flag.Parse()
	fault.rng, fault.size, fault.done = rand.New(rand.NewPCG(*seed, 1)), int64(windowSize.Seconds()), map[injury]uint64{}
	if err := fault.check(*real); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	agreed, err := run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	case !agreed:
		os.Exit(1)
	}
}

func run(ctx context.Context) (agreed bool, err error) {
	dir, err := os.MkdirTemp("", "chaperone-demo-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	level := slog.LevelError
	if *loud {
		level = slog.LevelInfo
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	var kafka *clusters
	if *real {
		kafka, err = startReal(ctx)
	} else {
		kafka, err = startEmbedded(dir, log)
	}
	if err != nil {
		return false, err
	}
	defer kafka.stop()
	cfg := config.Default()
	// The first is the audit cluster, too.
	cfg.Clusters = []config.Cluster{{Name: "aggregate", Tier: tierAggregate, Datacenter: "central", Kafka: config.Kafka{Brokers: kafka.aggregate}}}
	for _, r := range kafka.regions {
		cfg.Clusters = append(cfg.Clusters, config.Cluster{Name: r.name, Tier: tierRegional, Datacenter: r.name, Kafka: config.Kafka{Brokers: r.brokers}})
	}
	cfg.Codecs = []config.Codec{{Topics: ".*", Codec: config.Names{"header", "json"}}}
	cfg.Topics.Include, cfg.Topics.Poll = topics, time.Second
	cfg.Windows.Size, cfg.Count.Progress = windowSize, time.Second // so that nobody has to wait
	cfg.Pipelines = []config.Pipeline{{Name: "main", Tiers: tiers, Grace: grace()}}
	cfg.Embedded.Dir = filepath.Join(dir, "data")
	cfg.Embedded.KafkaAddr = freeOr(cfg.Embedded.KafkaAddr)
	cfg.Embedded.ClickHouseAddr = freeOr(cfg.Embedded.ClickHouseAddr)
	cfg.HTTP.Addr = freeOr("127.0.0.1:9000")
	a, err := app.New(ctx, app.Options{Config: &cfg, Parts: app.All(), Standalone: true, Version: "demo", Progress: os.Stdout, Log: log})
	if err != nil {
		return false, err
	}
	fmt.Printf("REST at http://%s (try: curl http://%s/api/v1/topics, or /api/v1/instances)\n\n", a.Addr(), a.Addr())

	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(running) }()
	agreed, err = play(running, a, kafka.regions, int64(cfg.Windows.Size/time.Second))
	if ctx.Err() != nil { // interrupted: that is how the endless demo ends
		fmt.Println("\nstopping")
		agreed, err = agreed || !*once, nil
	}
	cancel()
	return agreed, errors.Join(err, <-ended)
}

// play lets applications send for a while, waits for agreement, prints, and begins
// again.
func play(ctx context.Context, a *app.App, regions []region, windowSize int64) (agreed bool, err error) {
	answers, err := newAnswers(ctx, a)
	if err != nil {
		return false, err
	}
	defer answers.close()
	truths := newTruths(windowSize)
	p, err := startPipeline(ctx, a, regions, truths)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	for {
		fmt.Printf("sending %.0f messages/s to %d topics in %d datacenters for %s ...\n", *rate, len(topics), len(regions), *burst)
		p.send(ctx, *rate, *burst)
		if ctx.Err() != nil {
			return false, nil
		}
		agreed, all, err := answers.await(ctx, truths)
		if err != nil {
			return false, err
		}
		all.print(os.Stdout)
		switch {
		case ctx.Err() != nil:
			return agreed, nil
		case !agreed:
			return false, fmt.Errorf("no agreement within %s; what differs is marked above", patience)
		}
		fmt.Printf("%s; waiting until every window is final ...\n", &fault)
		right, err := answers.judged(ctx, truths, os.Stdout)
		switch {
		case err != nil:
			return false, err
		case ctx.Err() != nil:
			return agreed, nil
		case !right:
			return false, errors.New("a verdict is not what was done; see above")
		case *once:
			return true, nil
		}
	}
}

// freeOr gives the address if its port is free, else any port of the same host.
func freeOr(addr string) string {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		host, _, _ := net.SplitHostPort(addr)
		return net.JoinHostPort(host, "0")
	}
	_ = l.Close()
	return addr
}
