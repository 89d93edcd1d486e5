package main

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/audit/auditsarama"
	"github.com/chaperone-audit/chaperone/internal/figures"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

// A producer sends messages of 200 bytes to a topic, and waits for all outcomes; it is
// counted unless r is nil.
type producer struct {
	name   string
	factor float64 // of the messages
	send   func(ctx context.Context, brokers []string, topic string, n int, r *audit.Recorder) error
}

// producers measures the CPU time of this process, in which the clients are and Kafka
// is not, with the audit and without, by turns.
func producers(ctx context.Context, pairs, messages int) error {
	cluster, err := kafkatest.Start(ctx, kafkatest.Options{})
	if err != nil {
		return err
	}
	defer cluster.Close()
	for _, topic := range []string{"orders", "audit"} {
		if err := cluster.CreateTopic(ctx, topic, 4, map[string]string{"retention.bytes": "200000000"}); err != nil {
			return err
		}
	}
	for _, p := range []producer{
		{"sarama-sync", 0.02, saramaSync},
		{"sarama-batch", 1, saramaBatch},
		{"sarama-async", 1, saramaAsync(false)},
		{"sarama-async-successes", 1, saramaAsync(true)},
		{"franz-go", 1, franz},
	} {
		if err := measure(ctx, cluster.Brokers(), p, pairs, int(float64(messages)*p.factor)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func measure(ctx context.Context, brokers []string, p producer, pairs, messages int) error {
	var plain, counted, ratios []float64
	for pair := range pairs + 1 {
		var cost [2]float64
		for i := range cost {
			with := i == pair%2 // each begins as often
			ns, err := once(ctx, brokers, p, messages, with)
			if err != nil {
				return err
			}
			if with {
				cost[1] = ns
			} else {
				cost[0] = ns
			}
		}
		if pair == 0 {
			continue // connections, and the broker, were cold
		}
		plain, counted, ratios = append(plain, cost[0]), append(counted, cost[1]), append(ratios, cost[1]/cost[0])
	}
	figures.PrintMedian(p.name+"-plain", "ns of client CPU for a message, without the audit", plain, figures.Aim{})
	figures.PrintMedian(p.name+"-audited", "ns of client CPU for a message, with it", counted, figures.Aim{})
	figures.PrintMedian(p.name+"-overhead", "one over the other", ratios, figures.AtMost(1.02))
	return nil
}

// once sends messages, and says how much CPU time each took, reports included. Reports
// go twenty times as often as by default: no run is as long as that.
func once(ctx context.Context, brokers []string, p producer, messages int, with bool) (float64, error) {
	var r *audit.Recorder
	if with {
		reporter, err := auditsarama.NewReporter(brokers, nil, "audit")
		if err != nil {
			return 0, err
		}
		defer reporter.Close()
		if r, err = audit.NewRecorder(audit.Options{Tier: "bench", Reporter: reporter, Every: 500 * time.Millisecond}); err != nil {
			return 0, err
		}
		defer r.Close(ctx)
	}
	runtime.GC()
	before := cpu()
	if err := p.send(ctx, brokers, "orders", messages, r); err != nil {
		return 0, err
	}
	return float64((cpu() - before).Nanoseconds()) / float64(messages), nil
}

// cpu is the time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it has no reason to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
