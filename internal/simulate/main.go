// Command simulate runs the deterministic simulations of counting, collecting,
// sinking and viewing on many seeds, on all processors: what `make simulate` runs.
// The simulations are tests (sim_test.go of each package says what is simulated);
// this program builds them once, deals out the seeds, and adds up what they report.
//
// It writes two tables in Markdown, one of the worlds, one of the mistakes that
// were put in on purpose and after how many runs each was found. The last lines
// are one for each package: `simulated PACKAGE seeds N ... wrong M`. The status
// is 0 only if nothing is wrong and every mistake was found.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

// simulations are the packages whose tests simulate. Each has the test
// TestSimulation, which takes -seed and -seeds and ends by saying `simulated PACKAGE
// seeds N ... wrong N`; TestMistakesAreFound, if it has one, is run as well.
var simulations = []simulation{
	{pkg: "processors/counter", mistakes: []string{"-hunt"}},
	{pkg: "processors/collect"},
	{pkg: "processors/sink"},
	{pkg: "views"},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := simulate(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func simulate(ctx context.Context, args []string) (status int) {
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	seeds := flags.Int("seeds", 2000, "runs of each package")
	first := flags.Int("seed", 1, "first seed")
	cpus := flags.Int("cpus", runtime.NumCPU(), "processes at a time")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	r := &runner{cpus: max(1, *cpus), total: report{}}
	if err := r.run(ctx, plan(*first, max(1, *seeds), r.cpus)); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		status = 1
	}
	r.total.print(os.Stdout)
	if r.total.wrong() > 0 {
		status = 1
	}
	return status
}
