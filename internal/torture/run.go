package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/api/client"
	"github.com/chaperone-audit/chaperone/audit"
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

// settleWithin is how long everything may take to become right when all faults
// are over; hold is how long it must stay so.
const (
	settleWithin = 2 * time.Minute
	hold         = 2 * time.Second
)

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

// alarms looks through the logs of all processes, also of those that were killed:
// no books may ever have been out, but where two generations overlap.
func (w *world) alarms(r *Result) {
	seen := map[string]bool{}
	for _, child := range w.children.List() {
		if seen[child.Log] {
			continue
		}
		seen[child.Log] = true
		r.Checked["books"]++
		text, err := os.ReadFile(child.Log)
		if err != nil {
			r.Wrong["books"] = append(r.Wrong["books"], err.Error())
			continue
		}
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, []byte("do not balance")) && !bytes.Contains(line, []byte("kind=overlap")) && !bytes.Contains(line, []byte("may be counted twice")) {
				r.Wrong["books"] = append(r.Wrong["books"], fmt.Sprintf("%s: %s", child.Name, bytes.TrimSpace(line)))
			}
		}
	}
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

// judge compares until everything is right and stays so, or the time is over.
func (w *world) judge(ctx context.Context, r *Result, view *views.Sources) error {
	limit, cancel := context.WithTimeout(ctx, settleWithin)
	found, err := w.recount(limit)
	cancel()
	if err != nil {
		return err
	}
	w.say("recounted; waiting until everybody agrees")
	wrong, silent, checked, err := w.settle(ctx, found, view)
	if err != nil {
		return err
	}
	for name, list := range wrong {
		for i := range list {
			r.Wrong[name] = append(r.Wrong[name], list[i].String())
		}
	}
	for name, failed := range silent {
		r.Wrong[name] = append(r.Wrong[name], fmt.Sprintf("it does not answer: %v", failed))
	}
	maps.Copy(r.Checked, checked)
	r.Loose = w.loose
	// Every record that was ever said, whoever said it.
	if err := w.said.caughtUp(ctx, string(w.topology.AuditTopic())); err != nil {
		return err
	}
	w.lawful(r)
	w.honest(r)
	w.healthy(ctx, r)
	return nil
}

// settle asks all readers until none is wrong and that has lasted, or until it
// has taken too long. It gives the last answers, and why a reader gave none.
func (w *world) settle(ctx context.Context, found recounted, view *views.Sources) (wrong map[string][]difference, silent map[string]error, checked map[string]int, err error) {
	began := time.Now()
	var right time.Time // since when all are
	said := began
	for {
		wrong, silent, checked = w.ask(ctx, found, view)
		now := time.Now()
		bad := len(silent) > 0 || len(wrong) > 0
		switch {
		case bad && now.Sub(began) > settleWithin:
			return wrong, silent, checked, nil
		case bad:
			right = time.Time{}
		case right.IsZero():
			right = now
		case now.Sub(right) >= hold:
			return wrong, silent, checked, nil
		}
		if bad && now.Sub(said) > 5*time.Second {
			said = now
			w.say("not yet: %s %v", summary(wrong), silent)
		}
		select {
		case <-ctx.Done():
			return wrong, silent, checked, context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// ask asks every reader once.
func (w *world) ask(ctx context.Context, found recounted, view *views.Sources) (wrong map[string][]difference, silent map[string]error, checked map[string]int) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	want := w.expect(found, w.said)
	wrong, silent, checked = map[string][]difference{}, map[string]error{}, map[string]int{}
	w.loose = 0
	for _, e := range want {
		if !e.exact() {
			w.loose++
		}
	}
	for _, reader := range w.readers(view) {
		checked[reader.name] = len(want)
		got, err := reader.ask(ctx)
		if err != nil {
			silent[reader.name] = err
			continue
		}
		if list := compare(reader, got, want); len(list) > 0 {
			wrong[reader.name] = list
		}
	}
	return wrong, silent, checked
}

func summary(wrong map[string][]difference) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		parts = append(parts, fmt.Sprintf("%d windows by %s (%s)", len(wrong[name]), name, wrong[name][0].cell))
	}
	return strings.Join(parts, ", ")
}

// lawful checks the content of every record.
func (w *world) lawful(r *Result) {
	w.said.mu.Lock()
	said, unread := maps.Clone(w.said.statements), slices.Clone(w.said.unread)
	w.said.mu.Unlock()
	for src, statements := range said {
		w.mu.Lock()
		cuts := w.cuts[src.String()]
		w.mu.Unlock()
		if len(cuts) > 0 && !w.exact(src, cuts) || w.kind(src) == compacted {
			continue // what such a log says depends on when it is read
		}
		logs := [][]message{w.truth.log(src)}
		for _, cut := range cuts {
			logs = append(logs, cut.before)
		}
		r.Checked["law"] += len(statements)
		r.Wrong["law"] = append(r.Wrong["law"], law(src, logs, statements, windowsPerSegment)...)
	}
	r.Wrong["law"] = append(r.Wrong["law"], unread...)
}

// honest checks what was said to be missed: nothing where nothing can be, and
// something where something was.
func (w *world) honest(r *Result) {
	w.said.mu.Lock()
	for src, spans := range w.said.missed {
		for s, reason := range spans {
			r.Checked["missed ranges"]++
			if w.mayBeMissed(src, reason) {
				continue
			}
			r.Wrong["missed ranges"] = append(r.Wrong["missed ranges"], fmt.Sprintf("%s offsets %d to %d are said to be missed: %s; nothing happened to them", src, s.from, s.to, reason))
		}
	}
	w.said.mu.Unlock()
	r.Wrong["missed ranges"] = append(r.Wrong["missed ranges"], w.unsaid()...)
}

// mayBeMissed says whether something has happened to a source that may be said.
func (w *world) mayBeMissed(src audit.Source, reason audit.MissedReason) bool {
	switch w.kind(src) {
	case dropped:
		return reason == audit.MissedRetention
	case recreated:
		return reason == audit.MissedRecreated
	case unclean:
		w.mu.Lock()
		defer w.mu.Unlock()
		return reason == audit.MissedTruncated && len(w.cuts[src.String()]) > 0
	case compacted:
		// Who takes over from one that lives on reads another log than it does. Their
		// rows do not fit together, which the next recovery finds.
		return reason == audit.MissedDamaged
	}
	return false
}

// unsaid is what is not said and has to be, though no count shows it: that a log was
// cut; and of each topic that was made again that the end of the old one is unknown, if
// anything of it was counted. What retention took is not asked for: the counts are
// wrong by it if it is neither counted nor said.
func (w *world) unsaid() (wrong []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, src := range w.truth.list() {
		exact, seen := 0, 0
		for _, cut := range w.cuts[src.String()] {
			if !cut.counted || !w.cutsAreSeen() {
				continue
			}
			if seen++; slices.Contains(w.said.cutsOf(src), cut.from) {
				exact++
			}
			if !slices.ContainsFunc(w.said.cutsOf(src), func(from int64) bool { return from >= cut.from }) {
				wrong = append(wrong, fmt.Sprintf("%s was cut at %d, after more had been counted, and that is not said", src, cut.from))
			}
		}
		if seen > 0 && exact == 0 {
			wrong = append(wrong, fmt.Sprintf("%s was cut %d times, after more had been counted, and never is it said where", src, seen))
		}
		if w.gone[incarnation(src)] && w.said.upTo(src) >= 0 && !w.said.gone(src) {
			wrong = append(wrong, fmt.Sprintf("%s was deleted and made again, and that its end is unknown is not said", src))
		}
	}
	return wrong
}

// healthy wants all parts of all instances to be well again.
func (w *world) healthy(ctx context.Context, r *Result) {
	for _, name := range standing {
		r.Checked["health"]++
		if err := w.recovers(ctx, name); err != nil {
			r.Wrong["health"] = append(r.Wrong["health"], fmt.Sprintf("%s: %v", name, err))
		}
	}
}

// recovers waits until an instance is well.
func (w *world) recovers(ctx context.Context, name string) error {
	const patience = 20 * time.Second
	for began := time.Now(); ; {
		err := w.well(ctx, name)
		if err == nil || ctx.Err() != nil || time.Since(began) > patience {
			return err
		}
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (w *world) well(ctx context.Context, name string) error {
	address, err := w.child(name).Rest(ctx)
	if err != nil {
		return err
	}
	rest, err := client.New(address, &http.Client{Timeout: 10 * time.Second})
	if err != nil {
		return err
	}
	h, err := rest.Health(ctx)
	if err != nil {
		return err
	}
	for _, p := range h.Parts {
		if p.State != string(health.OK) {
			return fmt.Errorf("%s is %s: %s", p.Part, p.State, p.Reason)
		}
	}
	return nil
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
