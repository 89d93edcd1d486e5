// Command judgebench measures what it costs to judge, and to look at what was judged.
//
//	judging   the CPU that the judge takes, for all windows and for those that change
//	judging   the CPU that judging takes: all open windows, and what has changed of them
//	overview  what a dashboard asks of ClickHouse: a day of a thousand topics
//
// Results are printed by package figures. The exit status is 1 if an answer was wrong or
// could not be had; a figure that is short of its aim is only said.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
)

// A part is something that is measured by itself.
type part struct {
	name    string
	measure func(context.Context) error
}

func main() {
	clickhouse.RunChildIfAsked()
	var j judging
	var o overview
	parts := []part{{"judging", j.measure}, {"overview", o.measure}}
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	only := flag.String("only", "", "measure one part: "+strings.Join(names, ", "))
	o.flags()
	j.flags()
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	begin, measured := time.Now(), 0
	fmt.Printf("%s %s/%s, %d CPUs\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	for _, p := range parts {
		if *only != "" && *only != p.name {
			continue
		}
		measured++
		if err := p.measure(ctx); err != nil {
			fmt.Fprintf(os.Stderr, "judgebench: %s: %v\n", p.name, err)
			os.Exit(1)
		}
	}
	if measured == 0 {
		fmt.Fprintf(os.Stderr, "judgebench: there is no part %q\nTry: -only %s\n", *only, strings.Join(names, ", -only "))
		os.Exit(2)
	}
	fmt.Printf("took %s\n", time.Since(begin).Round(time.Second))
}
