package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A result is what a pass prints, as a line of JSON.
type result struct {
	Messages uint64        // between the first sight of any and the last
	Wall     time.Duration // likewise
	CPU      time.Duration // user and system, of the process, likewise
	Mallocs  uint64        // allocations on the heap, likewise
	Resident int64         // bytes, at the end
	Peak     int64         // bytes, the most that were resident
	Live     uint64        // of rows: bytes of heap that are held
	Want     truth         // of a filling: what was produced
	Said     truth         // of the loop: what it has counted
	Opened   time.Duration // of an idle pass: until all partitions had been read from
	Idle     float64       // ... and the CPUs it took while nothing came
}

func (r result) rate() float64 { return float64(r.Messages) / r.Wall.Seconds() }
func (r result) cost() float64 { return float64(r.CPU.Nanoseconds()) / 1e3 / float64(r.Messages) }

// allocated is how many allocations a message takes.
func (r result) allocated() float64 { return float64(r.Mallocs) / float64(r.Messages) }

func (r result) String() string {
	return fmt.Sprintf("%7.0f k msg/s  %.3f us/msg  peak %3d MB", r.rate()/1e3, r.cost(), r.Peak>>20)
}

// look is how often a pass looks at how far it is: often enough that the ends
// of its span are sharp, seldom enough to cost nothing.
const look = 2 * time.Millisecond

// measure waits until count reaches total, and measures from the moment that it
// rises. It fails when ctx ends, or when there are more.
func measure(ctx context.Context, count func() uint64, total uint64) (r result, err error) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	var first uint64
	var wall time.Time
	var used time.Duration
	var before, after runtime.MemStats
	for {
		n := count()
		switch {
		case n > total:
			return r, fmt.Errorf("%d messages counted of %d", n, total)
		case n > 0 && first == 0:
			runtime.ReadMemStats(&before)
			first, wall, used = n, time.Now(), cpuTime()
		}
		if n == total {
			r.Messages, r.Wall, r.CPU = n-first, time.Since(wall), cpuTime()-used
			runtime.ReadMemStats(&after)
			r.Mallocs = after.Mallocs - before.Mallocs
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, fmt.Errorf("at %d messages of %d: %w", n, total, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory fills in what is resident, where the system says it.
func (r *result) memory() {
	r.Resident, r.Peak, _ = memoryOf("self")
}

// memoryOf says what a process has resident, and had at most, in bytes.
func memoryOf(pid string) (resident, peak int64, err error) {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0, 0, fmt.Errorf("memory of a process: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			resident = kb << 10
		case "VmHWM":
			peak = kb << 10
		}
	}
	return resident, peak, nil
}
