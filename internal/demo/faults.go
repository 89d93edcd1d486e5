package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// The hops of the pipeline, by the tier that a message has passed before.
const (
	hopClient = "client" // from an application to the proxy of its datacenter
	hopProxy  = "proxy"  // from a proxy to the regional cluster
	hopMirror = "mirror" // from a regional cluster to the aggregate
)

var hops = []string{hopClient, hopProxy, hopMirror}

// Faults are what is done to messages at a hop, to shares of them. Whoever sends does
// not notice: all that tells is the audit.
type faults struct {
	hop                    string
	lose, duplicate, alter float64
	delay                  time.Duration

	mu   sync.Mutex
	rng  *rand.Rand
	size int64 // of windows, in seconds
	done map[injury]uint64
}

// An injury is what was done to messages of a window, as a verdict calls it.
type injury struct {
	topic  string
	window int64 // start, Unix seconds
	kind   string
}

func (f *faults) check(real bool) error {
	if real && f.hop == hopMirror && f.lose+f.duplicate+f.alter+f.delay.Seconds() > 0 {
		return fmt.Errorf("-at: MirrorMaker 2 has no faults of ours; use %s or %s", hopClient, hopProxy)
	}
	if !slices.Contains(hops, f.hop) {
		return fmt.Errorf("-at: %q is no hop; use %s", f.hop, strings.Join(hops, ", "))
	}
	for name, share := range map[string]float64{"lose": f.lose, "duplicate": f.duplicate, "alter": f.alter} {
		if share < 0 || share > 1 {
			return fmt.Errorf("-%s: %v is no share, from 0 to 1", name, share)
		}
	}
	if f.lose+f.duplicate+f.alter > 1 {
		return fmt.Errorf("-lose, -duplicate and -alter are more than all messages together")
	}
	return nil
}

// A fate is what becomes of a message at a hop.
type fate struct {
	copies int
	alter  bool
	delay  time.Duration
}

// pass decides the fate of a message at a hop, given its topic and event time.
func (f *faults) pass(hop, topic string, at int64) fate {
	if hop != f.hop {
		return fate{copies: 1}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	note := func(kind string) {
		f.done[injury{topic, audit.WindowAt(at, f.size).Start, kind}]++
	}
	switch x := f.rng.Float64(); {
	case x < f.lose:
		note(string(compare.Missing))
		return fate{}
	case x < f.lose+f.duplicate:
		note(string(compare.Duplicated))
		return fate{copies: 2, delay: f.delay}
	case x < f.lose+f.duplicate+f.alter:
		note(string(compare.Altered))
		return fate{copies: 1, alter: true, delay: f.delay}
	}
	return fate{copies: 1, delay: f.delay}
}

// injected is what was done to a window, by kind.
func (f *faults) injected(topic string, window int64) map[string]uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := map[string]uint64{}
	for i, n := range f.done {
		if i.topic == topic && i.window == window {
			m[i.kind] = n
		}
	}
	return m
}

// pair are the tiers between which verdicts have to find what is done.
func (f *faults) pair() (from, to string) {
	i := slices.Index(hops, f.hop)
	return tiers[i], tiers[i+1]
}

// altered is another message of the same length and the same event time.
func altered(value []byte) []byte {
	b := slices.Clone(value)
	if i := slices.Index(b, 'x'); i >= 0 { // there is one in every note
		b[i] = 'y'
	}
	return b
}

func (f *faults) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	sums := map[string]uint64{}
	for i, n := range f.done {
		sums[i.kind] += n
	}
	if len(sums) == 0 && f.delay == 0 {
		return "no faults were injected"
	}
	s := fmt.Sprintf("injected at hop %s: %d lost, %d duplicated, %d altered", f.hop, sums[string(compare.Missing)], sums[string(compare.Duplicated)], sums[string(compare.Altered)])
	if f.delay > 0 {
		s += fmt.Sprintf(", all delayed by %s", f.delay)
	}
	return s
}
