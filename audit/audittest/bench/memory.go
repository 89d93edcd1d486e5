package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/figures"
)

const (
	topics = 1000
	open   = 3 // windows of each topic
)

// memory measures what a Recorder holds of many topics.
func memory() error {
	before := heap()
	r, err := audit.NewRecorder(audit.Options{Tier: "bench", Reporter: nowhere, Every: 200 * time.Millisecond})
	if err != nil {
		return err
	}
	names := make([]string, topics)
	for i := range names {
		names[i] = fmt.Sprint("topic-", i)
	}
	var held []float64
	for range 5 {
		now := time.Now().UnixMilli()
		for _, name := range names {
			for w := range int64(open) {
				for i := range int64(100) { // so that latencies are in many bins
					r.Topic(name).Track(&audit.Passage{Value: message.Value, Time: now - w*600_000 - i*i*10})
				}
			}
		}
		held = append(held, float64(heap()-before)/1e6) // before and after it is reported
		time.Sleep(400 * time.Millisecond)
		held = append(held, float64(heap()-before)/1e6)
	}
	figures.PrintMedian("memory-1000-topics", fmt.Sprintf("MB of heap for %d topics with %d open windows", topics, open), held, figures.Aim{})
	return r.Close(context.Background())
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
