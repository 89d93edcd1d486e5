package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Version is the Apache Kafka that is run.
const Version = "4.3.1"

// Options says how to start Apache Kafka. The zero value is what a test wants.
type Options struct {
	// Nodes is how many brokers form the cluster, each a controller too; 1 if 0.
	// Topics, Kafka's own included, are on three of them, or on all if there are
	// fewer, and of three replicas one may be away.
	Nodes int
	// Proxied puts a proxy before each node, beside the plain way to it: see
	// [Cluster.Network].
	Proxied bool
	// Port of the first broker on 127.0.0.1, the others take those that follow; 0
	// takes free ones.
	Port int
	// Dir keeps the data; it must be empty or one that an earlier cluster left.
	// If empty, a new folder is taken and removed by Close.
	Dir string
	// Config is added to the properties of the brokers and overrides them.
	Config map[string]string
	// Heap is each broker's -Xmx, 512m if empty.
	Heap string
	// Progress hears, in lines for people, when jars have to be fetched; nil is
	// standard error.
	Progress io.Writer
}

// A Cluster is one broker or several. Methods may be called from any goroutine.
// It must be closed, though the end of the process does that too.
type Cluster struct {
	servers []server // by Kafka's ids of them, from 0
	name    string   // "apache" or "kfake"
	network *Network // nil if not proxied

	mu     sync.Mutex
	client *kgo.Client // for questions and commands; nil until asked for
	closed bool
}

// A server is a broker that can be ended and started again on the same data.
type server interface {
	addr() string
	start(ctx context.Context, members int) error // if it does not run; and wait until it knows of so many
	stop() error                                  // gracefully; nothing if it does not run
	kill() error                                  // at once
	pause() error
	resume() error
	close() // stop, and remove what it had
	logTail() string
}

// Start starts Apache Kafka and returns when it answers. It fetches the jars if
// this machine has none, which the context may cut short; afterwards the
// context has no power over the cluster.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	q, err := newQuorum(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Cluster{servers: q.servers(), name: "apache", network: q.network}, nil
}

// Name is "apache" or "kfake", for what must differ between them.
func (c *Cluster) Name() string { return c.name }

// Brokers are the addresses to give to clients, one for each node; they stay the
// same for life.
func (c *Cluster) Brokers() (addrs []string) {
	for _, s := range c.servers {
		addrs = append(addrs, s.addr())
	}
	return addrs
}

// Stop ends the brokers as an operator would, all at once; their data stays for
// Restart.
func (c *Cluster) Stop() error { return each(c.servers, server.stop) }

// Kill ends the brokers by SIGKILL. The embedded broker is part of this process
// and can only be stopped.
func (c *Cluster) Kill() error { return each(c.servers, server.kill) }

// Restart starts the brokers again on the same data and ports, after stopping
// those that run, and returns when they answer.
func (c *Cluster) Restart(ctx context.Context) error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.Resume(ctx)
}

// Log is the end of the brokers' logs.
func (c *Cluster) Log() string {
	var logs []string
	for i, s := range c.servers {
		logs = append(logs, fmt.Sprintf("node %d at %s\n%s", i, s.addr(), s.logTail()))
	}
	return strings.Join(logs, "\n")
}

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
	together(c.servers, server.close)
	c.network.close()
}

// admin is a client for questions and commands, made when first needed.
func (c *Cluster) admin() (*kgo.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.New("the cluster is closed")
	}
	if c.client == nil {
		// Not the default of 10 s: a paused node must not hold up a command for long.
		client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.RequestTimeoutOverhead(3*time.Second))
		if err != nil {
			return nil, fmt.Errorf("client of %v: %w", c.Brokers(), err)
		}
		c.client = client
	}
	return c.client, nil
}
