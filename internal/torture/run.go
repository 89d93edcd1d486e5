package torture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/views"
)

// A Result is what became of a run.
type Result struct {
	Kafka    string
	Nodes    int
	Seed     uint64
	Reader   string // as in Options
	Took     time.Duration
	Messages int
	Planned  []string          // faults that were to happen
	Faults   map[string]int    // times injected, by name
	Left     map[string]string // why a fault that was asked for could not be
	Checked  map[string]int    // cells or records, by who says them
	Loose    int               // cells whose truth is not known but for bounds
	Wrong    map[string][]string
	Failed   string // why it could not be judged; empty if it was
}

// Cells is how many windows of partitions were checked, by each reader.
func (r *Result) Cells() int { return r.Checked["table"] }

// Wrongs is how many things are wrong.
func (r *Result) Wrongs() (n int) {
	for _, list := range r.Wrong {
		n += len(list)
	}
	return n
}

// OK says that everything was judged, that nothing is wrong, and that each fault
// that was to happen did.
func (r *Result) OK() bool {
	for _, name := range r.Planned {
		if r.Faults[name] == 0 {
			return false
		}
	}
	return r.Failed == "" && r.Wrongs() == 0 && r.Cells() > 0
}

// Run tortures chaperone once for each seed, on clusters that they share, and
// gives what became of each. An error says that it could not begin, or go on.
func Run(ctx context.Context, o Options) ([]*Result, error) {
	o.Out, o.Say = quiet(o.Out), quiet(o.Say)
	if err := o.Check(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(o.Dir, "chaperone-torture-")
	if err == nil {
		dir, err = filepath.Abs(dir) // processes run in folders of their own
	}
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	clusters, err := startClusters(ctx, &o)
	defer func() {
		for _, c := range clusters {
			c.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	e, err := startEngine(ctx, dir, o.Say)
	if err != nil {
		return nil, err
	}
	var results []*Result
	good := true
	for n := range o.Seeds {
		seed := o.Seed + uint64(n)
		r := once(ctx, &o, seed, clusters, e, filepath.Join(dir, fmt.Sprint(seed)))
		results = append(results, r)
		good = good && r.OK()
		r.show(o.Out)
		if ctx.Err() != nil {
			break
		}
	}
	if err := e.close(); err != nil {
		fmt.Fprintln(o.Say, err)
	}
	if good && !o.Keep {
		os.RemoveAll(dir)
	} else {
		fmt.Fprintf(o.Say, "logs are in %s\n", dir)
	}
	return results, context.Cause(ctx)
}

// once is one run.
func once(ctx context.Context, o *Options, seed uint64, clusters map[string]*kafkatest.Cluster, e *engine, dir string) *Result {
	began := time.Now()
	r := &Result{Kafka: o.Kafka, Nodes: o.Nodes, Seed: seed, Reader: o.Reader, Faults: map[string]int{}, Left: map[string]string{}, Checked: map[string]int{}, Wrong: map[string][]string{}}
	w, err := newWorld(o, seed, clusters, e, dir)
	if err != nil {
		r.Failed = err.Error()
		return r
	}
	if err := w.run(ctx, r); err != nil {
		r.Failed = err.Error()
	}
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	if err := w.close(limit); err != nil && r.Failed == "" {
		w.say("cleaning up: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.failures) > 0 {
		r.Wrong["processes"] = w.failures
	}
	maps.Copy(r.Faults, w.injected)
	r.Messages = w.truth.messages()
	r.Took = time.Since(began)
	return r
}

func (w *world) run(ctx context.Context, r *Result) error {
	w.say("seed %d on %s: deploying", w.seed, w.o.Kafka)
	if err := w.ownTopics(ctx); err != nil {
		return err
	}
	var err error
	if w.said, err = w.listen(); err != nil {
		return err
	}
	defer w.said.close()
	view, end := w.view(ctx)
	defer end()
	for _, t := range w.audited() {
		if err := w.traffic.create(ctx, t, w.seed); err != nil {
			return err
		}
	}
	if err := w.deploy(); err != nil {
		return err
	}
	if err := w.counting(ctx); err != nil {
		return err
	}
	if err := w.torment(ctx, r); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, settleWithin)
	err = w.traffic.end(limit)
	cancel()
	if err != nil {
		return err
	}
	w.say("%d messages written; all faults are over", w.truth.messages())
	if n := w.traffic.aborted.Load(); n > 0 {
		w.injected["aborted-transactions"] = int(n)
	}
	if err := w.judge(ctx, r, view); err != nil {
		return err
	}
	w.stop()
	w.alarms(r)
	return nil
}

// counting waits until something is counted and stored: faults during the first seconds of a
// deployment would only prolong them.
func (w *world) counting(ctx context.Context) error {
	limit, cancel := context.WithTimeoutCause(ctx, time.Minute, errors.New("nothing is counted and stored a minute after the start"))
	defer cancel()
	for {
		w.said.mu.Lock()
		n := len(w.said.statements)
		w.said.mu.Unlock()
		if n > 0 {
			// ClickHouse does not survive a full disk while tables are made.
			if stored, err := w.askClickHouse(limit); err == nil && len(stored) > 0 {
				return nil
			}
		}
		select {
		case <-limit.Done():
			return context.Cause(limit)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// torment carries out the plan.
func (w *world) torment(ctx context.Context, r *Result) error {
	var chosen []*Fault
	for _, f := range faults {
		if !w.o.wants(f.Name) {
			continue
		}
		if why := f.needs(w); why != "" {
			if slices.Contains(w.o.Only, f.Name) {
				return fmt.Errorf("%s was asked for and cannot be injected: %s", f.Name, why)
			}
			r.Left[f.Name] = why
			continue
		}
		chosen = append(chosen, f)
		r.Planned = append(r.Planned, f.Name)
	}
	if len(chosen) == 0 {
		return errors.New("no fault is left to be injected: see --only and --without")
	}
	plan := NewPlan(w.seed, w.o.Time, chosen)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ends := time.Now().Add(w.o.Time)
	var wg sync.WaitGroup
	for _, steps := range plan {
		wg.Go(func() {
			for _, s := range steps {
				i := &injection{ctx: ctx, w: w, rng: rand.New(rand.NewPCG(s.Seed, 1)), hold: s.Hold}
				w.mu.Lock()
				again := w.injected[s.Fault.Name] > 0
				w.mu.Unlock()
				if again && time.Now().Add(s.After+s.Hold).After(ends) {
					continue // each once; more only while there is time
				}
				i.wait(s.After)
				if ctx.Err() != nil {
					return
				}
				if err := i.inject(s.Fault); err != nil {
					w.say("inject %s: %v", s.Fault.Name, err)
					cancel(fmt.Errorf("inject %s: %w", s.Fault.Name, err))
					return
				}
				w.mu.Lock()
				w.injected[s.Fault.Name]++
				w.mu.Unlock()
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// view runs a goka view of the collect table in this process.
func (w *world) view(ctx context.Context) (*views.Sources, func()) {
	v := views.New(views.Options{
		Brokers: w.clusters[home].Brokers(), Config: w.sarama, Topology: w.topology, Log: slog.New(slog.DiscardHandler),
		Health: &health.Registry{}, Metrics: prometheus.NewRegistry(), Detail: 47 * time.Hour, CheckEvery: time.Second,
	})
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = v.Run(ctx) }()
	return v, func() { cancel(); <-done }
}

func (w *world) sarama() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	return c
}

// ownTopics makes chaperone's own topics, and has the tables compacted as hard as
// a deployment may: a recovery has to end within the lag, and so has a pause.
func (w *world) ownTopics(ctx context.Context) error {
	own := w.topology.Topics()
	for i := range own {
		if own[i].Config["cleanup.policy"] == "compact" {
			config := maps.Clone(own[i].Config)
			maps.Copy(config, map[string]string{"min.compaction.lag.ms": "20000", "max.compaction.lag.ms": "21000", "delete.retention.ms": "20000", "segment.ms": "2000", "min.cleanable.dirty.ratio": "0.01"})
			own[i].Config = config
		}
	}
	return shards.EnsureTopics(ctx, w.clusters[home].Brokers(), w.sarama(), -1, own)
}
