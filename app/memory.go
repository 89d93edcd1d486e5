package app

import (
	"context"
	"fmt"
	"math"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/heap"
)

// A memory limit is kept in two ways. The Go runtime collects garbage more often as
// the heap comes near it. And what the parts hold of things that are on their way is
// bounded by shares of it: when there is no room they read no further, and Kafka
// keeps what is not read. Nothing is dropped for want of memory.
//
// What is no matter of buffers is not bounded by it: each source costs something,
// and so do the rows of its open segment, and the identities that are collected. If
// these come near the limit, /health says so.

// bounds are the shares of a limit. Zeros are for the parts' own defaults.
type bounds struct {
	Runtime int64 // soft limit of the Go runtime

	CountFetch    int // bytes, of all brokers of all clusters
	CountPending  int // rows of closed segments
	CountInFlight int // rows of all flushes under way

	CollectFetch   int // bytes
	CollectPending int // bytes

	SinkFetch int // bytes, of records and of verdicts each
	SinkBatch int // bytes, as JSON, likewise

	ViewsFetch   int // bytes, for each of the two views
	ViewsHeld    int // bytes of keys and values
	VerdictsHeld int // likewise
	HTTPBodies   int // bytes of all reports that are being taken
}

// What things take, as measured; see docs/operations.md. A byte that is fetched is
// three when it is decoded, and more where it was compressed.
const (
	fixedBytes    = 64 << 20 // program, clients, the runtime's own
	programBytes  = 24 << 20 // of them what the Go runtime does not see
	inFlightBytes = 5 << 10  // of a row on its way to table and audit topic
	pendingBytes  = 1 << 10  // of a row that waits
)

// weights say how a limit is shared by the parts that run.
var weights = map[Part]int64{Count: 3, Collect: 2, Sink: 1, Alert: 1, Serve: 2}

// boundsOf shares out a limit among parts. 0 is no limit.
func boundsOf(limit int64, parts []Part) (b bounds) {
	if limit <= 0 {
		return b
	}
	limit = max(limit, int64(config.LeastMemory))
	b.Runtime = limit - limit/16 - programBytes
	if slices.Contains(parts, Serve) { // whose view of the verdicts the rules are run over
		parts = slices.DeleteFunc(slices.Clone(parts), func(p Part) bool { return p == Alert })
	}
	sum := int64(0)
	for _, p := range parts {
		sum += weights[p]
	}
	for _, p := range parts {
		share := (limit - fixedBytes) * weights[p] / sum
		of := func(part int64, least, most int64) int { return int(min(max(share/part, least), most)) }
		switch p {
		case Count:
			b.CountFetch = of(16, 512<<10, 1<<30)
			b.CountPending = of(16*pendingBytes, 500, 100_000)
			b.CountInFlight = of(8*inFlightBytes, 300, math.MaxInt32)
		case Collect:
			b.CollectFetch = of(128, 256<<10, 8<<20)
			b.CollectPending = of(16, 512<<10, 64<<20)
		case Sink:
			b.SinkFetch = of(128, 256<<10, 8<<20)
			b.SinkBatch = of(32, 256<<10, 32<<20)
		case Alert:
			b.ViewsFetch = of(64, 256<<10, 8<<20)
			b.VerdictsHeld = of(2, 1<<20, math.MaxInt)
		case Serve:
			b.ViewsFetch = of(64, 256<<10, 8<<20)
			b.ViewsHeld = of(4, 1<<20, math.MaxInt)
			b.VerdictsHeld = of(6, 1<<20, math.MaxInt)
			b.HTTPBodies = of(20, int64(config.LeastBody), 64<<20)
		}
	}
	return b
}

// rowsPerSecond is the rate at which no more rows are in flight than there may be,
// if flushes take as long as the time between them.
func (b bounds) rowsPerSecond(configured int, every time.Duration) int {
	if b.CountInFlight == 0 {
		return configured
	}
	return min(configured, max(1, int(float64(b.CountInFlight)/every.Seconds())))
}

// least is the lower of two bounds of which 0 is none.
func least(a, b int) int {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

// memoryLimit is the limit that holds, and where it comes from: the first of what
// is configured, what GOMEMLIMIT says (math.MaxInt64 if it does not), and most of
// what the container may have (0 if that is not bounded), or less of it if the
// embedded ClickHouse, a process of its own, is in it too.
func memoryLimit(configured config.Bytes, goLimit, container int64, engine bool) (limit int64, from string) {
	switch {
	case configured != 0:
		return int64(configured), "memory.limit"
	case goLimit != math.MaxInt64:
		return goLimit, "GOMEMLIMIT"
	case container != 0 && engine:
		return container / 3, "a third of the container's limit"
	case container != 0:
		return container - container/10, "90 % of the container's limit"
	}
	return 0, ""
}

// limitMemory sets the runtime's limit, and gives the bounds of the parts.
func (a *App) limitMemory() bounds {
	goLimit := debug.SetMemoryLimit(-1)
	limit, from := memoryLimit(a.cfg.Memory.Limit, goLimit, containerMemory("/"), a.o.Standalone && a.cfg.EmbeddedClickHouse())
	floor := int64(heap.Floor)
	if limit > 0 {
		floor = min(floor, limit/4)
	}
	a.actors.add("heap", func(ctx context.Context) error {
		heap.Keep(ctx, floor)
		<-ctx.Done()
		return nil
	})
	if limit == 0 {
		return bounds{}
	}
	if limit < int64(config.LeastMemory) {
		a.log.Warn("there is less memory than an instance needs", "limit", config.Bytes(limit), "from", from, "needs", config.LeastMemory)
	}
	b := boundsOf(limit, a.o.Parts)
	if from == "GOMEMLIMIT" {
		b.Runtime = goLimit // somebody has thought about it
	} else {
		debug.SetMemoryLimit(b.Runtime)
		a.closers.add("memory limit", func() error { debug.SetMemoryLimit(goLimit); return nil })
	}
	a.log.Debug("memory", "limit", config.Bytes(limit), "from", from, "bounds", fmt.Sprintf("%+v", b))
	a.metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "chaperone", Name: "memory_limit_bytes",
		Help: "Memory that the instance is to stay below."}, func() float64 { return float64(limit) }))
	w := &memoryWatch{limit: limit, runtime: b.Runtime, from: from, health: a.health.Part("memory")}
	a.actors.add("memory", w.run)
	return b
}

// memoryWatch says in health when what is held leaves the garbage collector
// little to give back.
type memoryWatch struct {
	limit, runtime int64
	from           string
	health         *health.Part
}

// watchEvery is how often memory is looked at.
const watchEvery = 5 * time.Second

func (w *memoryWatch) run(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	for {
		metrics.Read(samples)
		w.report(int64(samples[0].Value.Uint64() + samples[1].Value.Uint64()))
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (w *memoryWatch) report(held int64) {
	const much = 0.85 // above it the collector runs most of the time
	if float64(held) < much*float64(w.runtime) {
		w.health.OK()
		return
	}
	w.health.Degraded(fmt.Sprintf("%d MiB are held, which leaves too little of the limit of %d MiB (%s): raise it, or run more instances", held>>20, w.limit>>20, w.from))
}
