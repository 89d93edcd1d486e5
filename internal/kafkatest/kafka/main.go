// Command kafka runs Apache Kafka on this machine until interrupted, for trying
// things out: what `make kafka` does. Jars are fetched once, data is removed at
// the end unless -dir keeps it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "kafka:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("kafka", flag.ContinueOnError)
	flags.SetOutput(stderr)
	nodes := flags.Int("nodes", 1, "brokers that form the cluster, for example 3")
	port := flags.Int("port", 0, "port of the first broker on 127.0.0.1, the others take those that follow; 0 takes free ones")
	dir := flags.String("dir", "", "folder that keeps the data; a new one, removed at the end, if empty")
	length := flags.Duration("for", 0, "stop after so long, for example 10m; 0 goes on until interrupted")
	heap := flags.String("heap", "512m", "heap of each broker")
	config := map[string]string{}
	flags.Func("config", "`key=value` of the brokers; repeat for more", func(s string) error {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want key=value")
		}
		config[k] = v
		return nil
	})
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	c, err := kafkatest.Start(ctx, kafkatest.Options{Nodes: *nodes, Port: *port, Dir: *dir, Heap: *heap, Config: config, Progress: stderr})
	if err != nil {
		if ctx.Err() != nil {
			return nil // interrupted while starting
		}
		return err
	}
	defer c.Close()
	if err := usage(ctx, stdout, strings.Join(c.Brokers(), ",")); err != nil {
		return err
	}
	var end <-chan time.Time
	if *length > 0 {
		end = time.After(*length)
	}
	select {
	case <-ctx.Done():
	case <-end:
	}
	fmt.Fprintln(stdout, "stopping")
	return c.Stop()
}

// usage tells how to use the cluster. The first line is for scripts too.
func usage(ctx context.Context, w io.Writer, addrs string) error {
	libs, err := kafkatest.Jars(ctx, io.Discard)
	if err != nil {
		return err
	}
	tool := fmt.Sprintf("java -cp '%s' ", filepath.Join(libs, "*"))
	fmt.Fprintf(w, `Apache Kafka %s is ready at %s

create a topic   %s%s --bootstrap-server %s --create --topic orders --partitions 4
produce lines    %s%s --bootstrap-server %s --topic orders
consume          %s%s --bootstrap-server %s --topic orders --from-beginning
audit it         chaperone standalone --brokers %s

Ctrl-C stops it.
`, kafkatest.Version, addrs,
		tool, kafkatest.TopicCommand, addrs,
		tool, kafkatest.ConsoleProducer, addrs,
		tool, kafkatest.ConsoleConsumer, addrs, addrs)
	return nil
}
