package sink

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
)

// Records wait in the claim when it is to stop. Whatever the moment, what is
// committed is in the store: no record is passed by.
func TestADrainPassesNoRecordBy(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s := &store{has: map[int64]int{}}
		p := New(Options{Topology: processors.DefaultTopology(), Log: slog.New(slog.DiscardHandler), Health: &health.Registry{}, Metrics: prometheus.NewRegistry(),
			Store: s, BatchRecords: 1 + rng.IntN(5), BatchAge: time.Millisecond})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); p.batcher.run(ctx) }()
		messages, draining := make(chan *sarama.ConsumerMessage, 100), make(chan struct{})
		for n := range int64(100) {
			r := &audit.Record{Kind: audit.KindHello, Version: n + 1, Identity: audit.Identity{Topic: "orders", Tier: "t", Instance: "i", Partition: audit.NoPartition}, Client: &audit.ClientCount{}}
			messages <- &sarama.ConsumerMessage{Topic: "audit", Offset: n, Value: r.AppendJSON(nil)}
		}
		committed := int64(0)
		at := rng.IntN(100)
		go func() {
			for len(messages) > 100-at {
				time.Sleep(time.Microsecond) // lets the feed run
			}
			close(draining)
		}()
		if err := p.feed(ctx, &claim{Messages: messages, Draining: draining, Commit: func(next int64) { committed = next }}); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		for n := range committed {
			if s.taken(n+1) == 0 {
				t.Fatalf("seed %d: committed up to %d, and record %d is not in the store", seed, committed, n)
			}
		}
		stop()
		<-ended
		p.aside.Close()
		p.books.Close()
	}
}
