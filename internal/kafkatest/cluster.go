package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/internal/embedded/kafka"
)

// Version is the Apache Kafka that is run.
const Version = "4.3.1"

// Options says how to start Apache Kafka. The zero value is what a test wants.
type Options struct {
	// Port of the broker on 127.0.0.1; 0 takes a free one.
	Port int
	// Dir keeps the data; it must be empty or one that an earlier cluster left.
	// If empty, a new folder is taken and removed by Close.
	Dir string
	// Config is added to the broker's properties and overrides them.
	Config map[string]string
	// Heap is the broker's -Xmx, 512m if empty.
	Heap string
	// Progress hears, in lines for people, when jars have to be fetched; nil is
	// standard error.
	Progress io.Writer
}

// A Cluster is one broker that is a cluster of its own. Methods may be called
// from any goroutine. It must be closed, though the end of the process does
// that too.
type Cluster struct {
	server server
	name   string // "apache" or "kfake"

	mu     sync.Mutex
	client *kgo.Client // for questions and commands; nil until asked for
	closed bool
}

// A server is a broker that can be ended and started again on the same data.
type server interface {
	addr() string
	start(ctx context.Context) error
	stop() error // gracefully; nothing if it does not run
	kill() error // at once
	close()      // stop, and remove what it had
	logTail() string
}

// Start starts Apache Kafka and returns when it answers. It fetches the jars if
// this machine has none, which the context may cut short; afterwards the
// context has no power over the cluster.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	a, err := newApache(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Cluster{server: a, name: "apache"}, nil
}

// StartKfake starts the embedded broker, with its data in a folder so that it
// survives Stop and Restart.
func StartKfake(log *slog.Logger) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "chaperone-kfake-")
	if err != nil {
		return nil, fmt.Errorf("make folder for the embedded broker: %w", err)
	}
	e := &embedded{opts: kafka.Options{Dir: filepath.Join(dir, "data"), Log: log}, dir: dir}
	if err := e.start(context.Background()); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return &Cluster{server: e, name: "kfake"}, nil
}

// Name is "apache" or "kfake", for what must differ between them.
func (c *Cluster) Name() string { return c.name }

// Brokers are the addresses to give to clients; they stay the same for life.
func (c *Cluster) Brokers() []string { return []string{c.server.addr()} }

// Stop ends the broker as an operator would; its data stays for Restart.
func (c *Cluster) Stop() error { return c.server.stop() }

// Kill ends the broker by SIGKILL. The embedded broker is part of this process
// and can only be stopped.
func (c *Cluster) Kill() error { return c.server.kill() }

// Restart starts the broker again on the same data and port, after stopping it
// if it runs, and returns when it answers.
func (c *Cluster) Restart(ctx context.Context) error {
	if err := c.server.stop(); err != nil {
		return err
	}
	return c.server.start(ctx)
}

// Log is the end of the broker's log.
func (c *Cluster) Log() string { return c.server.logTail() }

// Close ends the cluster for good and removes its data, unless that is in a
// folder given by the caller. Closing again does nothing.
func (c *Cluster) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.closed = true
	if c.client != nil {
		c.client.Close()
	}
	c.server.close()
}

// admin is a client for questions and commands, made when first needed.
func (c *Cluster) admin() (*kgo.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("the cluster is closed")
	}
	if c.client == nil {
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...))
		if err != nil {
			return nil, fmt.Errorf("client of %s: %w", c.server.addr(), err)
		}
		c.client = client
	}
	return c.client, nil
}

// embedded is a server in this process.
type embedded struct {
	opts kafka.Options
	dir  string

	mu     sync.Mutex
	broker *kafka.Broker // nil while stopped
}

func (e *embedded) addr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.opts.Addr
}

func (e *embedded) start(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	b, err := kafka.Start(e.opts)
	if err != nil {
		return err
	}
	e.broker = b
	e.opts.Addr = b.Brokers()[0]
	return nil
}

func (e *embedded) stop() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broker != nil {
		e.broker.Stop()
		e.broker = nil
	}
	return nil
}

func (e *embedded) kill() error { return e.stop() }

func (e *embedded) close() {
	e.stop()
	os.RemoveAll(e.dir)
}

func (e *embedded) logTail() string { return "" }
