// Package heap keeps the garbage collector from running all the time in a process
// whose heap is small and whose garbage is large.
//
// An instance that catches up receives gigabytes, in responses of some megabytes,
// and holds some tens of megabytes: by Go's rule, a collection each time the heap has
// doubled, about a seventh of its CPU goes into collecting. So the heap may grow to a floor
// first, whatever it holds; above that Go's rule holds.
package heap

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// Floor is how large a heap may grow before it is collected, in bytes.
const Floor = 96 << 20

// Keep sets the percentage of the collector so that it begins at a heap of least
// bytes or more, until ctx ends; then it is what it was. A percentage that the
// environment sets (GOGC) stays as it is. One per process.
func Keep(ctx context.Context, least int64) {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(100) // there is no other way to ask
	debug.SetGCPercent(usual)
	defer debug.SetGCPercent(usual)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	held := int64(0) // lately, at most: a response comes and goes between two looks
	for set := usual; ; {
		metrics.Read(live)
		held = max(int64(live[0].Value.Uint64()), held-held/8)
		if now := percent(held, least, usual); now != set {
			debug.SetGCPercent(now)
			set = now
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// percent is by how much a heap may grow until it is collected. It is rounded, so that
// it seldom changes: setting it stops the world for a moment.
func percent(live, least int64, usual int) int {
	const most, step = 300, 25
	if usual < 0 || live <= 0 { // nothing is ever collected, or was yet
		return usual
	}
	grow := int(min((least-live)*100/live, most))
	return max(usual, grow-grow%step)
}
