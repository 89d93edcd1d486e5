package main

import (
	"fmt"
	"maps"
	"os"
	"sync"

	"github.com/chaperone-audit/chaperone/audit"
)

// The tiers of the pipeline, in order.
const (
	tierClient    = "proxy-client"
	tierServer    = "proxy-server"
	tierRegional  = "regional"
	tierAggregate = "aggregate"
)

var tiers = []string{tierClient, tierServer, tierRegional, tierAggregate}

// A cell is a tier, topic and window; a table has the messages of each.
type cell struct {
	tier, topic string
	window      int64 // start, Unix seconds
}

type table map[cell]uint64

// truths are how many messages have passed each tier, by those who let them pass. Safe
// for concurrent use.
type truths struct {
	size int64 // of windows, in seconds

	mu       sync.Mutex
	passed   table
	problems int
}

func newTruths(size int64) *truths { return &truths{size: size, passed: table{}} }

// add notes that a message has passed a tier.
func (t *truths) add(tier, topic string, ms int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.passed[cell{tier, topic, audit.WindowAt(ms, t.size).Start}]++
}

func (t *truths) table() table {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.passed)
}

// problem says what nobody has injected.
func (t *truths) problem(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.problems++; t.problems <= 5 {
		fmt.Fprintln(os.Stderr, "demo:", err)
	}
}
