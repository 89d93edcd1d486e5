package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// alarm is what the log of a process says when its books do not balance.
const alarm = "sums that do not balance"

// balanced waits until the processes follow the sums of all sources, and makes
// sure that none, those included that were killed, has raised an alarm about its
// books: whatever is done here must not.
func (r *run) balanced(ctx context.Context, want cells) error {
	sources := map[string]bool{}
	for c := range want {
		sources[fmt.Sprint(c.cluster, "/", c.topic, "/", c.partition)] = true
	}
	for {
		followed, err := r.followed(ctx)
		if err != nil {
			return err
		}
		if followed == len(sources) {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the sums of %d sources are followed, of %d: %w", followed, len(sources), context.Cause(ctx))
		case <-time.After(500 * time.Millisecond):
		}
	}
	seen := map[string]bool{}
	for _, p := range r.processes.List() {
		if seen[p.Log] {
			continue
		}
		seen[p.Log] = true
		text, err := os.ReadFile(p.Log)
		if err != nil {
			return fmt.Errorf("log of %s: %w", p.Name, err)
		}
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, []byte(alarm)) {
				return fmt.Errorf("a false alarm of %s: %s", p.Name, line)
			}
		}
	}
	say("the books of %d sources balance, and of %d processes none has raised an alarm", len(sources), len(seen))
	return nil
}

// followed sums up what the processes that run say of how many sources they follow.
func (r *run) followed(ctx context.Context) (n int, err error) {
	for _, p := range r.processes.List() {
		select {
		case <-p.Ended:
			continue
		default:
		}
		rest, err := p.Rest(ctx)
		if err != nil {
			return 0, err
		}
		text, err := get(ctx, rest+"/metrics")
		if err != nil {
			return 0, fmt.Errorf("ask %s for metrics: %w", p.Name, err)
		}
		for line := range strings.Lines(string(text)) {
			if value, ok := strings.CutPrefix(line, "chaperone_collect_sources_followed "); ok {
				of, err := strconv.Atoi(strings.TrimSpace(value))
				if err != nil {
					return 0, fmt.Errorf("metrics of %s: %w", p.Name, err)
				}
				n += of
			}
		}
	}
	return n, nil
}
