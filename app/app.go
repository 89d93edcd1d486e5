// Package app puts chaperone together: the one place where its parts meet.
//
//	             config
//	               │
//	New ── embedded Kafka? ── own topics ── settings ── embedded ClickHouse? ── store
//	               │
//	Run ── count ──► collect ──► sink ──► alert ──► views ──► http       (and stops in this order)
//
// Which of the parts run is the caller's choice: one process may have all of
// them, or there may be any number of processes with one each.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/all"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/embedded/kafka"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/settings"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
	"github.com/chaperone-audit/chaperone/views"
)

// A Part is something that an instance does.
type Part string

// The parts. Every instance also answers /health, /ready and /metrics.
const (
	Count   Part = "count"   // counts audited topics
	Collect Part = "collect" // keeps the newest records
	Sink    Part = "sink"    // writes records, verdicts and alerts into the store
	Alert   Part = "alert"   // runs the rules, and notifies
	Serve   Part = "serve"   // answers REST
)

// All is every part.
func All() []Part { return []Part{Count, Collect, Sink, Alert, Serve} }

// Options of an App. Config and Log must be set; Config must be valid.
type Options struct {
	Config *config.Config
	Parts  []Part
	// Standalone brings along the embedded Kafka and ClickHouse, where the
	// configuration names no brokers or no DSN.
	Standalone bool
	// Codecs by name; all.Builders if nil.
	Codecs  codecs.Builders
	Version string
	Log     *slog.Logger
	// Judged is what the rules are run over; nil: the view of the verdicts.
	Judged query.Judged
	// Progress hears of downloads and where things are; nil is silence.
	Progress io.Writer
}

// An App is one instance of chaperone. Make it with New; don't forget to Run it.
type App struct {
	o        Options
	cfg      *config.Config // a copy: embedded parts fill in addresses
	log      *slog.Logger
	topology processors.Topology
	health   *health.Registry
	metrics  *prometheus.Registry
	closers  closers

	settings   *settings.Settings
	store      sinks.Sink // nil if this instance neither sinks nor serves
	views      *views.Sources
	verdicts   *views.Verdicts
	listener   net.Listener
	clickhouse *clickhouse.Server
	actors     actors
}

// stopWithin bounds how long one part may take to stop; startWithin how long the
// audit cluster may take to answer at the start: a broker that restarts and a leader
// that is elected meanwhile take a minute together. The log says at once what is wrong.
const (
	stopWithin  = 20 * time.Second
	startWithin = 3 * time.Minute
)

// New starts embedded parts, makes sure of chaperone's own topics, and connects.
// On an error everything that was started is stopped again.
func New(ctx context.Context, o Options) (_ *App, err error) {
	cfg := *o.Config
	cfg.Clusters = slices.Clone(cfg.Clusters)
	if o.Codecs == nil {
		o.Codecs = all.Builders()
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	a := &App{o: o, cfg: &cfg, log: o.Log, metrics: prometheus.NewRegistry(), closers: closers{log: o.Log}}
	a.actors = actors{log: o.Log, failed: make(chan struct{})}
	a.health = &health.Registry{Changed: func(r health.Report) { logHealth(o.Log, r) }}
	a.topology = Topology(&cfg)
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			a.closers.close()
		}
	}()
	if err := a.listen(); err != nil {
		return nil, err
	}
	if err := a.brokers(); err != nil {
		return nil, err
	}
	if err := a.connect(ctx); err != nil {
		return nil, err
	}
	if err := a.openStore(ctx); err != nil {
		return nil, err
	}
	if err := a.build(); err != nil {
		return nil, err
	}
	return a, nil
}

// Topology is that of a configuration.
func Topology(cfg *config.Config) processors.Topology {
	return processors.Topology{Prefix: cfg.Audit.Prefix, Shards: cfg.Audit.Shards, Partitions: cfg.Audit.Partitions, Retention: cfg.Audit.Retention}
}

func logHealth(log *slog.Logger, r health.Report) {
	level := slog.LevelInfo
	switch {
	case r.Reason == health.Starting:
		level = slog.LevelDebug
	case r.State != health.OK:
		level = slog.LevelWarn
	}
	log.Log(context.Background(), level, "health", "part", r.Part, "state", r.State, "reason", r.Reason)
}

func (a *App) has(p Part) bool { return slices.Contains(a.o.Parts, p) }

// listen takes the port first: that it is taken is the commonest mistake.
func (a *App) listen() error {
	l, err := net.Listen("tcp", a.cfg.HTTP.Addr)
	if err != nil {
		return fmt.Errorf("http.addr: listen on %s: %w (another instance? choose another address with --http)", a.cfg.HTTP.Addr, err)
	}
	a.listener = l
	a.closers.add("http", func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	return nil
}

// brokers starts the embedded Kafka for the clusters that name no brokers.
func (a *App) brokers() error {
	if !a.cfg.EmbeddedKafka() {
		return nil
	}
	if !a.o.Standalone {
		return errors.New("clusters: one names no brokers, and the embedded Kafka is with `chaperone standalone` only; give --brokers or a configuration file")
	}
	b, err := kafka.Start(kafka.Options{Addr: a.cfg.Embedded.KafkaAddr, Dir: a.dir("kafka"), Log: a.log})
	if err != nil {
		return err
	}
	a.closers.add("embedded kafka", func() error { b.Stop(); return nil })
	for i := range a.cfg.Clusters {
		if c := &a.cfg.Clusters[i]; len(c.Brokers) == 0 {
			c.Brokers = b.Brokers()
		}
	}
	fmt.Fprintf(a.o.Progress, "embedded Kafka at %s (for trying out; not for production)\n", b.Brokers()[0])
	return nil
}

// connect makes sure that the audit cluster is there, with our topics, and
// opens the settings.
func (a *App) connect(ctx context.Context) error {
	config, err := a.auditConfig()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startWithin, fmt.Errorf("not done within %s", startWithin))
	defer cancel()
	brokers := a.cfg.AuditCluster().Brokers
	if err := a.patiently(ctx, func() error {
		return shards.EnsureTopics(ctx, brokers, config(), a.cfg.Audit.Replicas, a.topology.Topics())
	}); err != nil {
		return err
	}
	if !a.has(Count) && !a.has(Serve) {
		return nil
	}
	if err := a.patiently(ctx, func() (err error) {
		a.settings, err = settings.Open(ctx, brokers, a.topology.SettingsTopic(), shards.AskConfig(config()), shards.ProducerConfig(config()), a.log)
		return err
	}); err != nil {
		return err
	}
	a.closers.add("settings", func() error { a.settings.Close(); return nil })
	return nil
}

// patiently asks the audit cluster for something, again while a broker is away or
// being started, until ctx ends.
func (a *App) patiently(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil || !shards.Heals(err) {
			return err
		}
		a.log.Warn("the audit cluster does not answer, trying again: is audit.brokers (--brokers) right, and does a broker run there?", "brokers", a.cfg.AuditCluster().Brokers, "err", err)
		select {
		case <-ctx.Done():
			return fmt.Errorf("audit.brokers: %w", err)
		case <-time.After(2 * time.Second):
		}
	}
}

// auditConfig gives a function that makes a fresh client configuration. What can
// be wrong with it is found out now.
func (a *App) auditConfig() (func() *sarama.Config, error) {
	audit := a.cfg.AuditCluster()
	return fresh(func() (*sarama.Config, error) { return audit.Sarama(a.clientID()) }, a.log)
}

// fresh turns a maker that can fail into one that gives the last good answer:
// a certificate that cannot be read for a moment must not end a processor.
func fresh(make func() (*sarama.Config, error), log *slog.Logger) (func() *sarama.Config, error) {
	if _, err := make(); err != nil {
		return nil, err
	}
	good, _ := make()
	return func() *sarama.Config {
		c, err := make()
		if err != nil {
			log.Warn("client configuration not renewed", "err", err)
			copied := *good
			return &copied
		}
		return c
	}, nil
}

// clientID shows in the logs and quotas of brokers.
func (a *App) clientID() string { return a.topology.Prefix }

// host is the name of this machine, for people.
func host() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}

// Run runs all parts until ctx ends, or one of them fails, and then stops them
// in the order of the data, each within a bound. What a part could not store by
// then is in the error, which wraps shards.ErrLeft.
func (a *App) Run(ctx context.Context) error {
	defer a.closers.close()
	a.actors.startAll()
	err := a.actors.wait(ctx)
	a.log.Info("stopping")
	return errors.Join(err, a.actors.stop(stopWithin))
}

// Addr is where REST, health and metrics are answered.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Brokers are those of the audit cluster, also if it is embedded.
func (a *App) Brokers() []string { return a.cfg.AuditCluster().Brokers }

// Topology names the topics and groups on the audit cluster.
func (a *App) Topology() processors.Topology { return a.topology }

// ClickHouse is the address of the embedded engine's HTTP interface, empty if
// there is none.
func (a *App) ClickHouse() string {
	if a.clickhouse == nil {
		return ""
	}
	return a.clickhouse.Addr()
}
