// Demo runs all of chaperone in this process, on the embedded Kafka and
// ClickHouse, lets the load generator write to a few topics, and compares what it
// wrote with what chaperone says: on the audit topic, in ClickHouse, and by REST.
//
//	make demo            goes on until interrupted
//	make demo ONCE=1     ends after the first full agreement, status 0, or says what differs, status 1
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/app"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

var (
	once  = flag.Bool("once", false, "end after the first full agreement")
	rate  = flag.Float64("rate", 2000, "messages per second that the generator writes")
	burst = flag.Duration("burst", 8*time.Second, "how long the generator writes before its numbers are compared")
	seed  = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the generator")
	loud  = flag.Bool("v", false, "show the log")
)

func main() {
	clickhouse.RunChildIfAsked()
	flag.Parse()
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

// topics are what the generator writes to.
var topics = []produce.Topic{{Name: "orders", Partitions: 3}, {Name: "clicks", Partitions: 4}, {Name: "payments", Partitions: 1}}

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
	cfg := config.Default()
	cfg.Embedded.Dir = filepath.Join(dir, "data")
	cfg.Embedded.KafkaAddr = freeOr(cfg.Embedded.KafkaAddr)
	cfg.Embedded.ClickHouseAddr = freeOr(cfg.Embedded.ClickHouseAddr)
	cfg.HTTP.Addr = freeOr("127.0.0.1:9000")
	cfg.Topics.Poll = time.Second
	a, err := app.New(ctx, app.Options{
		Config: &cfg, Parts: app.All(), Standalone: true, Version: "demo", Progress: os.Stdout,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	})
	if err != nil {
		return false, err
	}
	fmt.Printf("REST at http://%s (try: curl http://%s/api/v1/topics)\n\n", a.Addr(), a.Addr())

	running, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(running) }()
	agreed, err = compare(running, a, cfg.Windows.Size)
	if ctx.Err() != nil { // interrupted: that is how the endless demo ends
		fmt.Println("\nstopping")
		agreed, err = agreed || !*once, nil
	}
	cancel()
	if end := <-ended; end != nil {
		return false, end
	}
	return agreed, err
}

// compare writes a burst, waits for agreement, prints, and begins again.
func compare(ctx context.Context, a *app.App, windowSize time.Duration) (agreed bool, err error) {
	answers, err := newAnswers(ctx, a)
	if err != nil {
		return false, err
	}
	defer answers.close()
	truth := table{}
	for round := uint64(0); ; round++ {
		fmt.Printf("writing %.0f messages/s to %d topics for %s ...\n", *rate, len(topics), *burst)
		generator, err := produce.New(produce.Config{
			Brokers: a.Brokers(), Topics: topics, Create: true, Rate: *rate, Duration: *burst, Disorder: 15 * time.Minute,
			NoTime: 0.02, Malformed: 0.01, WindowSize: windowSize, Seed: *seed + round,
		})
		if err != nil {
			return false, err
		}
		if err := generator.Run(ctx); err != nil && ctx.Err() == nil {
			return false, err
		}
		for _, r := range generator.Truth() {
			truth.add(cell{r.Topic, r.Window.Start}, r.Count)
		}
		if ctx.Err() != nil {
			return false, nil
		}
		agreed, all, err := answers.await(ctx, truth)
		if err != nil {
			return false, err
		}
		all.print(os.Stdout, truth)
		switch {
		case ctx.Err() != nil:
			return agreed, nil
		case !agreed:
			return false, fmt.Errorf("no agreement within %s; what differs is marked above", patience)
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
