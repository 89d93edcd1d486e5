// Command bench measures what the audit costs an application: what `make bench-audit`
// does. It prints a line for each figure, and before it one that begins with # and says
// the spread:
//
//	figure NAME VALUE aim <= VALUE ok|short
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"testing"
)

func main() {
	testing.Init() // for testing.Benchmark
	only := flag.String("only", "", "track, memory or producer; all if empty")
	pairs := flag.Int("pairs", 7, "how often each is measured, by turns with what it is compared to")
	messages := flag.Int("messages", 500_000, "that a producer sends each time; fewer if it waits for each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	for _, part := range []struct {
		name string
		run  func() error
	}{
		{"track", func() error { return track(*pairs) }},
		{"memory", memory},
		{"producer", func() error { return producers(ctx, *pairs, *messages) }},
	} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", part.name, err)
			os.Exit(1)
		}
	}
}
