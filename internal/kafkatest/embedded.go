package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/chaperone-audit/chaperone/internal/embedded/kafka"
)

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

func (e *embedded) close() {
	e.stop()
	os.RemoveAll(e.dir)
}

func (e *embedded) logTail() string { return "" }
