package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/children"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors"
)

// Names of the clusters: home is audited and holds chaperone's own topics, away
// is audited only.
const (
	home = "home"
	away = "away"
)

const (
	windowSize        = 10 * time.Second // small, so that there are many
	windowsPerSegment = 4                // so that segments turn all the time
	sessionTimeout    = 6 * time.Second  // the least that brokers allow
)

// world is one run: a deployment, its traffic, and what was done to it.
type world struct {
	o        *Options
	seed     uint64
	dir      string
	topology processors.Topology
	clusters map[string]*kafkatest.Cluster
	engine   *engine
	truth    *truth
	traffic  *traffic
	said     *listener
	children *children.Group
	began    time.Time
	loose    int // cells whose truth is not known but for bounds, when last asked

	// procs is held by whoever does something to chaperone's processes.
	procs sync.Mutex
	// cutting is held while a log is cut, until those that count have heard of it, and
	// while instances of an earlier version count, which would not.
	cutting sync.Mutex

	talk sync.Mutex // of say

	mu        sync.Mutex
	instances map[string]*instance
	guests    map[string]bool // instances of an earlier version
	injected  map[string]int
	gone      map[string]bool  // cluster/topic/id of incarnations that were deleted
	cuts      map[string][]cut // by source, in order: how its log was cut
	failures  []string         // what is wrong whatever the counts say
	trouble   int              // faults of brokers, networks and stores that last
	troubled  time.Time        // when the last of them ended
}

// A cut is what an election has done to a log.
type cut struct {
	from    int64
	before  []message // the log as it was, with what was cut off
	counted bool      // something that was cut off had been counted for sure
}

// cutsAreSeen says whether all counting instances are told by brokers that a log was
// cut. sarama is not: it reads on in what has grown there since.
func (w *world) cutsAreSeen() bool { return w.o.Reader == config.InPlace }

// exact says whether it was said of each cut of a source where it was. A reader that
// has just begun may know that there was one, and not where: then it goes on behind
// what had been counted, and between the two nothing is known.
func (w *world) exact(src audit.Source, cuts []cut) bool {
	if !w.cutsAreSeen() {
		return false
	}
	for _, from := range w.said.cutsOf(src) {
		if !slices.ContainsFunc(cuts, func(c cut) bool { return c.from == from }) {
			return false
		}
	}
	return true
}

// An instance is a process of chaperone under a name that outlives it.
type instance struct {
	name  string
	child *children.Child
}

func (w *world) say(format string, args ...any) {
	w.talk.Lock()
	defer w.talk.Unlock()
	fmt.Fprintf(w.o.Say, "%6.1fs  %s\n", time.Since(w.began).Seconds(), fmt.Sprintf(format, args...))
}

// fail notes something that must not happen.
func (w *world) fail(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.say("WRONG: %s", text)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failures = append(w.failures, text)
}

// newWorld makes a deployment on clusters and an engine that outlive it. Its
// topics, groups and database have names of their own.
func newWorld(o *Options, seed uint64, clusters map[string]*kafkatest.Cluster, e *engine, dir string) (*world, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	w := &world{
		o: o, seed: seed, dir: dir, clusters: clusters, engine: e, began: time.Now(),
		topology:  processors.Topology{Prefix: fmt.Sprintf("chaperone%d", seed), Shards: 16, Partitions: 4, Retention: 24 * time.Hour},
		truth:     newTruth(int64(windowSize / time.Second)),
		instances: map[string]*instance{}, injected: map[string]int{}, gone: map[string]bool{}, cuts: map[string][]cut{},
	}
	w.children = children.New(o.Binary, dir, w.died)
	var err error
	if w.traffic, err = newTraffic(w.truth, clusters); err != nil {
		return nil, err
	}
	return w, os.WriteFile(w.configFile(), []byte(w.config()), 0o644)
}

func (w *world) configFile() string { return filepath.Join(w.dir, "chaperone.yml") }
func (w *world) database() string   { return fmt.Sprintf("torture_%d", w.seed) }

// topicName keeps the topics of runs on the same clusters apart.
func (w *world) topicName(name string) string { return fmt.Sprintf("t%d-%s", w.seed, name) }

// died hears of a process that has ended by itself. An earlier version may give up
// while brokers are away.
func (w *world) died(err error) {
	name, _, _ := strings.Cut(err.Error(), " ")
	w.mu.Lock()
	guest := w.guests[name]
	w.mu.Unlock()
	if guest {
		w.say("%v", err)
		return
	}
	w.fail("%v", err)
}

// invite says which instances are of an earlier version from now on.
func (w *world) invite(guests ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guests = map[string]bool{}
	for _, name := range guests {
		w.guests[name] = true
	}
}

// config is what all of its processes are given: only keys that an older
// chaperone knows too.
func (w *world) config() string {
	brokers := func(name string) string { return `["` + strings.Join(w.clusters[name].ProxiedBrokers(), `", "`) + `"]` }
	return fmt.Sprintf(`clusters:
  - {name: %s, tier: regional, datacenter: west, brokers: %s}
  - {name: %s, tier: aggregate, datacenter: east, brokers: %s}
audit: {brokers: %s, prefix: %s, shards: %d, partitions: %d, retention: %s, session_timeout: %s}
topics: {include: ["t%d-.*"], poll: 1s}
codecs: [{topics: "t%d-%s", codec: json, fields: [at]}]
windows: {size: %s}
count: {flush: 200ms, windows_per_segment: %d, progress: 1s, display_group: %s-display}
store: {dsn: %q, database: %s, batch_age: 300ms, timeout: 10s}
http: {addr: "127.0.0.1:0"}
`, home, brokers(home), away, brokers(away), brokers(home), w.topology.Prefix, w.topology.Shards, w.topology.Partitions, w.topology.Retention,
		sessionTimeout, w.seed, w.seed, declaredTopic, windowSize, windowsPerSegment, w.topology.Prefix, w.engine.dsn(), w.database())
}

// start runs an instance; the part is what its name begins with: count-1 is
// `chaperone count`.
func (w *world) start(name string) error {
	return w.startBinary(name, w.o.Binary, w.readerOf(name))
}

// readerOf is the setting of the reader of an instance.
func (w *world) readerOf(name string) string {
	reader := w.o.Reader
	if reader == Both {
		if reader = config.Sarama; name[len(name)-1]%2 == 0 {
			reader = config.InPlace
		}
	}
	return "CHAPERONE_COUNT_READER=" + reader
}

func (w *world) startBinary(name, binary string, env ...string) error {
	part, _, _ := strings.Cut(name, "-")
	child, err := w.children.StartBinary(name, binary, env, part, "--config", w.configFile())
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.instances[name] = &instance{name: name, child: child}
	return nil
}

// child is the process of an instance, nil if it has none.
func (w *world) child(name string) *children.Child {
	w.mu.Lock()
	defer w.mu.Unlock()
	if i := w.instances[name]; i != nil {
		return i.child
	}
	return nil
}

// remove forgets an instance that has been ended for good.
func (w *world) remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.instances, name)
}

// standing are the instances of the deployment as it should be.
var standing = []string{"count-1", "count-2", "collect-1", "collect-2", "sink-1", "sink-2", "serve-1"}

// deploy starts everything.
func (w *world) deploy() error {
	for _, name := range standing {
		if err := w.start(name); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all processes as an operator would; each must end with status 0.
func (w *world) stop() {
	var wg sync.WaitGroup
	w.mu.Lock()
	instances := w.instances
	w.instances = map[string]*instance{}
	w.mu.Unlock()
	for _, i := range instances {
		wg.Go(func() {
			if err := i.child.Stop(); err != nil {
				w.fail("%v", err)
			}
		})
	}
	wg.Wait()
}

// close ends what is left and deletes the run's topics, so that later runs on the
// same clusters are not slowed down by them.
func (w *world) close(ctx context.Context) error {
	w.children.Close()
	short, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := w.traffic.end(short); err != nil {
		return err // a cluster is away: nothing can be deleted
	}
	w.traffic.close()
	var errs []error
	for _, t := range w.traffic.list() {
		errs = append(errs, w.clusters[t.cluster].DeleteTopic(ctx, t.name))
	}
	for _, t := range w.topology.Topics() {
		errs = append(errs, w.clusters[home].DeleteTopic(ctx, t.Name))
	}
	return errors.Join(errs...)
}

// quiet discards what nobody wants to read.
func quiet(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
