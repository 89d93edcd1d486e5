package main

import (
	"context"
	"fmt"

	"github.com/chaperone-audit/chaperone/internal/figures"
)

// json measures what it costs to find the event time in JSON: the same messages are
// counted by it and by their record timestamps, in turns, and each falls into the same
// window by either.
func (r *runner) json(ctx context.Context) error {
	for _, log := range []struct {
		name           string
		size, messages int
		most           float64 // microseconds of CPU
	}{{"200B", small, r.o.messages, 0.10}, {"1KB", large, r.o.messages / 4, 0.25}} {
		topic := "bench-json-" + log.name
		fmt.Printf("filling a log of %s with the time in the middle with %d messages\n", log.name, log.messages)
		want, err := r.fill(ctx, fillOrder{Topics: []fillTopic{{topic, "none"}}, Partitions: r.o.partitions, Messages: log.messages, Size: log.size, Plain: true})
		if err != nil {
			return err
		}
		expected := want.of(topic)
		var by [2]results
		for i := range r.o.rounds + 1 {
			for k, kind := range []string{"inplace", "record"} {
				res, err := r.one(ctx, kind, topic, expected)
				if err != nil {
					return err
				}
				fmt.Printf("json-%-4s round %d %-8s %s\n", log.name, i, kind, res)
				if i > 0 { // the first is to warm up
					by[k] = append(by[k], res)
				}
			}
		}
		var more []float64
		for i, c := range by[0].costs() {
			more = append(more, c-by[1].costs()[i])
		}
		figures.PrintMedian("json-cpu-"+log.name, "us/message more than by record timestamp", more, figures.AtMost(log.most))
	}
	return nil
}
