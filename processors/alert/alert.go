package alert

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/alerts/notify"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
)

// Options of a Processor. Those up to Judged must be set.
type Options struct {
	Brokers  []string              // of the audit cluster
	Config   func() *sarama.Config // of the audit cluster, fresh each time
	Topology processors.Topology
	Log      *slog.Logger
	Health   *health.Registry
	Metrics  prometheus.Registerer
	Rules    *alerts.Rules
	Judged   query.Judged

	Notifiers map[string]notify.Notifier // by the names that the rules have
	// Every is how often a step is made; 5 s if zero. To ask for it costs what there is
	// to be decoded, and alerts wait longer than that for others of their cause.
	Every time.Duration
	// InstanceID makes the group membership static; see shards.Options.
	InstanceID string
	// DrainFor bounds a graceful stop; see shards.Options.
	DrainFor time.Duration
	Now      func() time.Time       // nil: time.Now
	Extra    []goka.ProcessorOption // for tests
}

// A Processor is one instance of the alerting processor. Make it with New; don't forget
// to Run it.
type Processor struct {
	o        Options
	metrics  *metrics
	rules    *health.Part
	delivery map[string]*health.Part // by notifier
	group    *shards.Processor

	mu     sync.Mutex
	counts map[query.AlertState]int // of the claim, if it is here
	queued int
}

// New makes a Processor, with the parts "alert", "alert rules" and one "notifier NAME" for
// each in the health registry.
func New(o Options) *Processor {
	if o.Every == 0 {
		o.Every = 5 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	p := &Processor{o: o, rules: o.Health.Part("alert rules"), delivery: map[string]*health.Part{}}
	p.rules.OK() // until it is here that they run, and something is amiss
	for name := range o.Notifiers {
		p.delivery[name] = o.Health.Part("notifier " + name)
		p.delivery[name].OK()
	}
	p.metrics = newMetrics(o.Metrics, p)
	p.group = shards.New(shards.Options{
		Brokers: o.Brokers, Graph: o.Topology.AlertGraph(), Config: o.Config, Worker: p, Log: o.Log, Health: o.Health.Part("alert"),
		InstanceID: o.InstanceID, DrainFor: o.DrainFor, Extra: o.Extra,
	})
	return p
}

// Run runs the rules, whenever it is the turn of this instance, until ctx ends.
func (p *Processor) Run(ctx context.Context) error { return p.group.Run(ctx) }

// Work is for the group, which calls it.
func (p *Processor) Work(ctx context.Context, c *shards.Claim) error {
	w := newClaim(p, c, c.Owner)
	for key, value := range c.Table.All() {
		w.load(key, value)
	}
	c.Table.Release() // the state knows what it holds
	defer p.measure(nil, 0)
	return w.work(ctx, c.Draining)
}

// measure notes what there is for gauges; nil: it is not here.
func (p *Processor) measure(st *alerts.State, queued int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts, p.queued = map[query.AlertState]int{}, queued
	if st == nil {
		return
	}
	for _, e := range st.Entries {
		p.counts[e.Alert.State]++
	}
}
