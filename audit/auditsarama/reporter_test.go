package auditsarama

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// stuck is a producer of sarama that sends until it is released, and must not be closed
// before.
type stuck struct {
	sarama.SyncProducer
	t       *testing.T
	release chan struct{}
	sending atomic.Bool
	closed  atomic.Int32
}

func (p *stuck) SendMessages([]*sarama.ProducerMessage) error {
	p.sending.Store(true)
	<-p.release
	p.sending.Store(false)
	return nil
}

func (p *stuck) Close() error {
	if p.sending.Load() {
		p.t.Error("it is closed while it sends")
	}
	p.closed.Add(1)
	return nil
}

func TestAReporterIsNotClosedWhileItSends(t *testing.T) {
	p := &stuck{t: t, release: make(chan struct{})}
	r := newReporter(p, "audit")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for !p.sending.Load() {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	if err := r.Report(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	r.wait = 10 * time.Millisecond
	if err := r.Close(); err == nil || p.closed.Load() != 0 {
		t.Errorf("close says %v while it sends", err)
	}
	close(p.release)
	r.wait = 10 * time.Second
	if err := r.Close(); err != nil || p.closed.Load() != 1 {
		t.Errorf("close says %v, closed %d times", err, p.closed.Load())
	}
	if err := r.Report(t.Context(), nil); !errors.Is(err, sarama.ErrClosedClient) {
		t.Errorf("a report after that says %v", err)
	}
}
