package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"

	"github.com/chaperone-audit/chaperone/internal/embedded/kafka"
)

// StartKfake starts the embedded broker, with its data in a folder so that it
// survives Stop and Restart.
func StartKfake(log *slog.Logger) (*Cluster, error) { return StartKfakeWith(Options{}, log) }

// StartKfakeWith is StartKfake with options, of which it heeds Proxied.
func StartKfakeWith(o Options, log *slog.Logger) (*Cluster, error) {
	dir, err := os.MkdirTemp("", "chaperone-kfake-")
	if err != nil {
		return nil, fmt.Errorf("make folder for the embedded broker: %w", err)
	}
	e := &embedded{opts: kafka.Options{Dir: filepath.Join(dir, "data"), Log: log}, dir: dir}
	c := &Cluster{servers: []server{e}, name: "kfake"}
	if o.Proxied {
		err = e.proxy(c)
	}
	if err == nil {
		err = e.start(context.Background(), 1)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// embedded is a server in this process.
type embedded struct {
	opts kafka.Options
	dir  string

	mu     sync.Mutex
	broker *kafka.Broker // nil while stopped
}

// proxy gives the broker its second port, and puts a proxy before it.
func (e *embedded) proxy(c *Cluster) error {
	back, err := freePort()
	if err != nil {
		return err
	}
	front, err := freePort()
	if err != nil {
		return err
	}
	if c.network, err = newNetwork([]path{{front, back}}); err != nil {
		return err
	}
	e.opts.Listen = func(network, address string) (net.Listener, error) {
		return listenTwice(network, address, loopback(back), loopback(front))
	}
	return nil
}

func (e *embedded) addr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.opts.Addr
}

func (e *embedded) start(context.Context, int) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broker != nil {
		return nil
	}
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

func (e *embedded) pause() error {
	return fmt.Errorf("pause the embedded broker: %w: it is part of this process; use Apache Kafka", errors.ErrUnsupported)
}

func (e *embedded) resume() error { return nil }

// compact cleans all compacted topics once.
func (e *embedded) compact() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.broker != nil {
		e.broker.Compact()
	}
}

func (e *embedded) close() {
	e.stop()
	os.RemoveAll(e.dir)
}

func (e *embedded) logTail() string { return "" }
