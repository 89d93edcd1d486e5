package main

import (
	"context"
	"flag"
	"runtime"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/figures"
)

var nowhere = audit.ReporterFunc(func(context.Context, []*audit.Record) error { return nil })

// message is one of 200 bytes.
var message = &audit.Passage{Key: []byte("u00012345"), Value: make([]byte, 191)}

// track measures what it takes to count a message.
func track(rounds int) error {
	if err := flag.Set("test.benchtime", "200ms"); err != nil {
		return err
	}
	message.Time = time.Now().UnixMilli()
	kinds := []struct {
		name        string
		fingerprint audit.Fingerprint
		goroutines  int
		aim         float64
		ns          []float64
		topic       *audit.Topic
	}{
		{name: "track-none", fingerprint: audit.NoFingerprint, goroutines: 1, aim: 25},
		{name: "track-sum", fingerprint: audit.SumFingerprint, goroutines: 1, aim: 60},
		{name: "track-power-sums", fingerprint: audit.PowerSumFingerprint, goroutines: 1, aim: 80},
		{name: "track-none-contended", fingerprint: audit.NoFingerprint, goroutines: 2, aim: 40},
	}
	var allocations []float64
	for i := range kinds {
		r, err := audit.NewRecorder(audit.Options{Tier: "bench", Reporter: nowhere, Fingerprint: kinds[i].fingerprint, Every: 100 * time.Millisecond})
		if err != nil {
			return err
		}
		defer r.Close(context.Background())
		kinds[i].topic = r.Topic("orders")
	}
	for round := range rounds + 1 {
		for i := range kinds {
			k := &kinds[i]
			per := testing.Benchmark(func(b *testing.B) { count(b, k.topic, k.goroutines) })
			if round == 0 {
				continue // its clock has only just become coarse
			}
			k.ns = append(k.ns, float64(per.T.Nanoseconds())/float64(per.N))
			if k.goroutines == 1 {
				allocations = append(allocations, testing.AllocsPerRun(1000, func() { k.topic.Track(message) }))
			}
		}
	}
	for _, k := range kinds {
		unit := "ns for a message of 200 bytes"
		if k.goroutines > 1 {
			unit = "ns for a message of 200 bytes, as each of two goroutines sees it"
		}
		figures.PrintMedian(k.name, unit, k.ns, figures.AtMost(k.aim))
	}
	figures.PrintMedian("track-allocations", "for each message", allocations, figures.AtMost(0))
	return nil
}

// count counts b.N messages on each goroutine.
func count(b *testing.B, t *audit.Topic, goroutines int) {
	if goroutines == 1 {
		for range b.N {
			t.Track(message)
		}
		return
	}
	done := make(chan struct{})
	for range min(goroutines, runtime.GOMAXPROCS(0)) {
		go func() {
			for range b.N {
				t.Track(message)
			}
			done <- struct{}{}
		}()
	}
	for range min(goroutines, runtime.GOMAXPROCS(0)) {
		<-done
	}
}
