package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/internal/heap"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/count"
	"github.com/chaperone-audit/chaperone/processors/settings"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// passTime is how long a pass may take; one that is stuck is an error.
const passTime = 10 * time.Minute

// A pass is what a child process does.
type pass struct {
	kind       string // see run; hold counts, and waits for a line of input before the memory is read
	brokers    string
	topics     string // prefix of the names of those that are read
	partitions int
	messages   uint64
	have       int64  // of an idle pass: messages that are there when it begins
	own        string // prefix of chaperone's own topics
	order      string // of fill
	profile    string // file names without their ends; empty for none
}

func (p *pass) flags() {
	flag.StringVar(&p.kind, "child", "", "for the parent: what this process does")
	flag.StringVar(&p.brokers, "child-brokers", "", "for the parent")
	flag.StringVar(&p.topics, "child-topics", "", "for the parent")
	flag.IntVar(&p.partitions, "child-partitions", 0, "for the parent")
	flag.Uint64Var(&p.messages, "child-messages", 0, "for the parent")
	flag.Int64Var(&p.have, "child-have", 0, "for the parent")
	flag.StringVar(&p.own, "child-own", "", "for the parent")
	flag.StringVar(&p.order, "child-order", "", "for the parent")
	flag.StringVar(&p.profile, "child-profile", "", "for the parent")
}

func (p *pass) args() []string {
	return []string{"-child", p.kind, "-child-brokers", p.brokers, "-child-topics", p.topics, "-child-partitions", fmt.Sprint(p.partitions),
		"-child-messages", fmt.Sprint(p.messages), "-child-have", fmt.Sprint(p.have), "-child-own", p.own, "-child-order", p.order, "-child-profile", p.profile}
}

func (p *pass) run(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, passTime, errors.New("the pass takes too long"))
	defer cancel()
	var r result
	switch p.kind {
	case "fill":
		var o fillOrder
		if err := json.Unmarshal([]byte(p.order), &o); err != nil {
			return fmt.Errorf("order: %w", err)
		}
		r.Want, err = fill(ctx, p.list(), o)
	case "raw":
		r, err = p.raw(ctx)
	case "rows":
		r, err = p.rows()
	case "franz":
		r, err = p.franz(ctx)
	case "loop":
		r, err = p.loop(ctx)
	case "count", "inplace", "record", "hold":
		go heap.Keep(ctx, heap.Floor) // as every instance does
		r, err = p.count(ctx)
	case "idle-sarama", "idle-inplace":
		r, err = p.idle(ctx)
	default:
		err = errors.New("no such pass")
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.kind, err)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

func (p *pass) list() []string { return strings.Split(p.brokers, ",") }

// config is what a user's configuration would be.
func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.ClientID = "chaperone-bench"
	return c
}

// franzConfig is what it would be for franz-go.
func (p *pass) franzConfig() ([]kgo.Opt, error) {
	return []kgo.Opt{kgo.SeedBrokers(p.list()...), kgo.ClientID("chaperone-bench")}, nil
}

// profiled measures, with a profile if one is wanted.
func (p *pass) profiled(ctx context.Context, count func() uint64) (r result, err error) {
	if p.profile != "" {
		f, err := os.Create(p.profile + ".cpu")
		if err != nil {
			return r, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return r, err
		}
		defer pprof.StopCPUProfile()
	}
	return measure(ctx, count, p.messages)
}

// count runs an instance of the counting processor until it has counted all,
// and stops it as an operator would. On the way it may wait to be told that all
// is on the audit topic.
func (p *pass) count(ctx context.Context) (r result, err error) {
	topology := processors.DefaultTopology()
	topology.Prefix = p.own
	if err := shards.EnsureTopics(ctx, p.list(), config(), 1, topology.Topics()); err != nil {
		return r, err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	rule := codecs.Rule{Topics: ".*", Codecs: []string{"json"}}
	if p.kind == "record" {
		rule.Codecs = []string{"record"}
	}
	selector, err := codecs.NewSelector([]codecs.Rule{rule}, codecs.Standard(), nil, codecs.Bounds{})
	if err != nil {
		return r, err
	}
	starts, err := settings.Open(ctx, p.list(), topology.SettingsTopic(), shards.AskConfig(config()), shards.ProducerConfig(config()), log)
	if err != nil {
		return r, err
	}
	defer starts.Close()
	registry := &meters{Registry: prometheus.NewRegistry()}
	cluster := count.Cluster{Name: "bench", Tier: "regional", Datacenter: "dc1", Brokers: p.list(), Config: config,
		Audited: func(topic string) bool { return strings.HasPrefix(topic, p.topics) }}
	if p.kind != "count" { // that one shows what sarama costs
		cluster.InPlace = p.franzConfig
	}
	processor := count.New(count.Options{
		Brokers: p.list(), Config: config, Topology: topology, Codecs: selector, Starts: starts, Log: log,
		Health: &health.Registry{}, Metrics: registry, Host: "bench", WindowSize: windowSize, DisplayGroup: p.own + "-display",
		Clusters: []count.Cluster{cluster},
	})
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- processor.Run(running) }()
	if r, err = p.profiled(ctx, registry.counted); err != nil {
		return r, err
	}
	if p.kind == "hold" {
		fmt.Println("counted")
		if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
			return r, fmt.Errorf("wait for the parent: %w", err)
		}
	}
	r.memory()
	if err := p.heap(); err != nil {
		return r, err
	}
	stop()
	if err := <-ended; err != nil {
		return r, err
	}
	if n := registry.counted(); n != p.messages {
		return r, fmt.Errorf("%d messages counted of %d", n, p.messages)
	}
	return r, nil
}

func (p *pass) heap() error {
	if p.profile == "" {
		return nil
	}
	f, err := os.Create(filepath.Clean(p.profile) + ".heap")
	if err != nil {
		return err
	}
	defer f.Close()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	fmt.Fprintf(os.Stderr, "heap %d MB in use, %d MB idle, %d MB given back; stacks %d MB; %d collections", m.HeapInuse>>20, m.HeapIdle>>20, m.HeapReleased>>20, m.StackSys>>20, m.NumGC)
	runtime.GC() // the profile is of the last collection
	runtime.ReadMemStats(&m)
	fmt.Fprintf(os.Stderr, "; %d MB live\n", m.HeapAlloc>>20)
	if err := pprof.Lookup("heap").WriteTo(f, 0); err != nil {
		return err
	}
	g, err := os.Create(filepath.Clean(p.profile) + ".goroutines")
	if err != nil {
		return err
	}
	defer g.Close()
	return pprof.Lookup("goroutine").WriteTo(g, 1)
}

// meters is a registry that lets one counter be read alone: to gather all of
// them every few milliseconds would be part of what is measured.
type meters struct {
	*prometheus.Registry
	messages prometheus.Counter
}

func (m *meters) MustRegister(collectors ...prometheus.Collector) {
	for _, c := range collectors {
		if counter, ok := c.(prometheus.Counter); ok && strings.Contains(counter.Desc().String(), `"chaperone_count_messages_total"`) {
			m.messages = counter
		}
	}
	m.Registry.MustRegister(collectors...)
}

func (m *meters) counted() uint64 {
	var v dto.Metric
	if err := m.messages.Write(&v); err != nil {
		return 0
	}
	return uint64(v.GetCounter().GetValue())
}
