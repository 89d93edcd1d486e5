package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/internal/figures"
)

// kinds of passes that are compared, in the order of a round.
var kinds = []string{"raw", "franz", "loop", "count", "inplace"}

// A comparison is of all kinds of passes over one log.
type comparison struct {
	name   string
	topic  string
	rounds int
	// Aims of the figures, by their names without that of the log.
	aims map[string]figures.Aim
}

// compare runs the passes by turns, so that whatever the machine does, it does to
// all of them.
func (r *runner) compare(ctx context.Context, c comparison, want truth) error {
	expected := want.of(c.topic)
	by := map[string]results{}
	for i := range c.rounds + 1 {
		for _, kind := range kinds {
			res, err := r.one(ctx, kind, c.topic, expected)
			if err != nil {
				return err
			}
			label := fmt.Sprintf("round %d", i)
			if i == 0 {
				label = "warm-up"
			} else {
				by[kind] = append(by[kind], res)
			}
			fmt.Printf("%-9s %-8s %-8s %s\n", c.name, label, kind, res)
		}
	}
	fmt.Printf("%s: every counting pass agrees with what was produced in %d windows of partitions\n", c.name, len(expected))
	for _, kind := range kinds {
		figures.Print("rate-"+kind+"-"+c.name, "messages/s", figures.Median(by[kind].rates()), figures.Aim{})
		figures.Print("cpu-"+kind+"-"+c.name, "us/message", figures.Median(by[kind].costs()), figures.Aim{})
	}
	ratio := func(name string, v []float64) {
		figures.PrintMedian(name+"-"+c.name, "in the same round", v, c.aims[name])
	}
	raw, loop, counted, inplace := by["raw"], by["loop"], by["count"], by["inplace"]
	ratio("cpu-ratio", over(counted.costs(), raw.costs()))
	ratio("rate-ratio", over(counted.rates(), raw.rates()))
	ratio("inplace-rate-over-raw", over(inplace.rates(), raw.rates()))
	ratio("inplace-rate-over-franz", over(inplace.rates(), by["franz"].rates()))
	ratio("inplace-rate-over-loop", over(inplace.rates(), loop.rates()))
	ratio("inplace-cpu-over-loop", over(inplace.costs(), loop.costs()))
	var allocated, peak []float64
	for _, res := range inplace {
		allocated, peak = append(allocated, res.allocated()), append(peak, float64(res.Peak)/1e6)
	}
	figures.Print("inplace-allocations-"+c.name, "a message, of all that the process does", slices.Max(allocated), figures.AtMost(0.05))
	figures.Print("inplace-peak-"+c.name, "MB", slices.Max(peak), figures.AtMost(200))
	return nil
}

// one runs a pass and checks what it has counted.
func (r *runner) one(ctx context.Context, kind, topic string, expected truth) (result, error) {
	p := pass{kind: kind, topics: topic, partitions: r.o.partitions, messages: expected.messages()}
	if kind != "count" && kind != "inplace" && kind != "record" {
		res, err := r.child(ctx, p, nil)
		if err == nil && kind == "loop" {
			for c, want := range expected {
				if got := res.Said[c].Count; got != want.Count {
					return res, fmt.Errorf("pass %d: the loop counted %d messages in %s, want %d", r.n, got, c, want.Count)
				}
			}
		}
		return res, err
	}
	p.own = fmt.Sprintf("chaperone-%d", r.n)
	res, err := r.child(ctx, p, nil)
	if err != nil {
		return res, err
	}
	if err := r.check(ctx, p.own, expected); err != nil {
		return res, fmt.Errorf("pass %d counted wrong: %w", r.n, err)
	}
	return res, r.forget(p.own)
}
