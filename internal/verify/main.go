// Command verify proves the audit on a real Apache Kafka: what `make verify`
// and `make verify-kill` run.
//
// Clients that are not ours produce messages (produce.go, producer.py). The
// chaperone binary counts them (internal/children). When production has ended the
// log is counted again by other code (internal/produce, Recount), and every
// count of every window of every partition is compared with what ClickHouse
// answers to SQL, and what REST answers (compare.go). A count is of messages,
// bytes, and messages without time, malformed and out of bounds.
//
//	verify         one cluster, then a regional and an aggregate one; `chaperone standalone` (plain.go)
//	verify -kill   one process for each part; counting ones are killed while messages arrive (kill.go)
//
// The last line of standard output is `checked N wrong M`: N cells, M of them
// not as recounted. The status is 0 only if M is 0 and N is not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/children"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

func main() {
	clickhouse.RunChildIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := verify(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

// A run is one use of this program.
type run struct {
	messages  int
	seed      uint64
	reader    string // of the counting processes
	dir       string // of logs, configuration and data
	binary    string
	python    string
	processes *children.Group // of the scenario that runs
	checked   int             // cells, so far
	wrong     int
}

func verify(ctx context.Context, args []string) (status int) {
	flags := flag.NewFlagSet("verify", flag.ContinueOnError)
	kill := flags.Bool("kill", false, "kill counting processes while messages arrive")
	messages := flags.Int("messages", 0, "how many to produce; 0 is 1000000, with -kill 300000 (-messages/5 on each of two clusters)")
	seed := flags.Uint64("seed", 1, "of messages; the same seed makes the same ones")
	reader := flags.String("reader", config.Default().Count.Reader, "how topics are read: sarama or in_place")
	keep := flags.Bool("keep", false, "keep the folder with logs and data")
	within := flags.Duration("within", 8*time.Minute, "how long it may take after everything is fetched and built")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	r := &run{messages: *messages, seed: *seed, reader: *reader}
	scenario := r.plain
	if *kill {
		scenario = r.kill
	}
	if r.messages == 0 {
		r.messages = 1_000_000
		if *kill {
			r.messages = 300_000
		}
	}
	err := r.all(ctx, scenario, *within, *keep)
	if err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
	}
	fmt.Printf("checked %d wrong %d\n", r.checked, r.wrong)
	if err != nil || r.wrong > 0 || r.checked == 0 {
		return 1
	}
	return 0
}

func (r *run) all(ctx context.Context, scenario func(context.Context) error, within time.Duration, keep bool) (err error) {
	if r.dir, err = os.MkdirTemp("", "chaperone-verify-"); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() {
		if keep || err != nil || r.wrong > 0 {
			say("logs are in %s", r.dir)
		}
		if !keep && err == nil && r.wrong == 0 {
			os.RemoveAll(r.dir)
		}
	}()
	if err := r.prepare(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, within, fmt.Errorf("not done within %s; -within gives more", within))
	defer cancel()
	return scenario(ctx)
}

// prepare fetches and builds what is needed, which may take minutes the first
// time and does not count towards the deadline.
func (r *run) prepare(ctx context.Context) (err error) {
	if _, err = kafkatest.Jars(ctx, os.Stderr); err != nil {
		return err
	}
	if _, err = clickhouse.Library(ctx, clickhouse.LibraryOptions{Progress: os.Stderr}); err != nil {
		return err
	}
	if r.python, err = python(ctx); err != nil {
		return err
	}
	say("building chaperone")
	r.binary, err = children.Build(ctx, r.dir)
	return err
}

// deploy makes room for the processes of one deployment. The context that it
// gives ends, with the reason, when one of them dies unasked; end kills what is
// left of them.
func (r *run) deploy(ctx context.Context, name string) (_ context.Context, dir string, end func(), err error) {
	dir = filepath.Join(r.dir, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, "", nil, fmt.Errorf("make folder: %w", err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	r.processes = children.New(r.binary, dir, cancel)
	return ctx, dir, func() { r.processes.Close(); cancel(nil) }, nil
}

// judge compares, prints what is wrong, and adds to the result; the books of the
// audit itself must balance. If the audit could not even be asked, or the time is
// over, all of it is an error.
func (r *run) judge(ctx context.Context, a answers, want cells) error {
	say("comparing %d cells with ClickHouse and REST", len(want))
	c, err := a.agree(ctx, want)
	if c != nil {
		r.checked += c.checked
		r.wrong += len(c.wrong)
		c.show(os.Stdout)
	}
	if err != nil {
		return err
	}
	return r.balanced(ctx, want)
}

var began = time.Now()

// say tells a person what is going on, on standard error.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.1fs  %s\n", time.Since(began).Seconds(), fmt.Sprintf(format, args...))
}
