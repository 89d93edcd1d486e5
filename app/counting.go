package app

import (
	"fmt"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/config"
	"github.com/chaperone-audit/chaperone/processors/count"
)

// counting makes the processor that counts the audited topics of all clusters.
func (a *App) counting(auditConfig func() *sarama.Config, b bounds) (*count.Processor, error) {
	env, err := a.readings()
	if err != nil {
		return nil, err
	}
	if len(a.cfg.Codecs) > 0 {
		env.Notice = newNotices(a.health.Part("codecs"), a.log.With("part", "codecs")).say
	}
	selector, err := a.cfg.Selector(a.o.Codecs, env)
	if err != nil {
		return nil, fmt.Errorf("codecs: %w", err)
	}
	match, err := a.cfg.Topics.Matcher()
	if err != nil {
		return nil, fmt.Errorf("topics: %w", err)
	}
	audited := func(topic string) bool {
		return !a.topology.Own(topic) && (match(topic) || a.settings.Added(topic))
	}
	start := count.Earliest()
	if t, ok := a.cfg.Topics.Start.Time(); ok {
		start = count.At(t)
	} else if a.cfg.Topics.Start == config.Latest {
		start = count.Latest()
	}
	o := count.Options{
		Brokers: a.cfg.AuditCluster().Brokers, Config: auditConfig, Topology: a.topology, Codecs: selector, Starts: a.settings,
		Log: a.log.With("part", "count"), Health: a.health, Metrics: a.metrics, Host: host(),
		WindowSize: a.cfg.Windows.Size, Windows: a.cfg.Count.WindowsPerSegment, Start: start, Poll: a.cfg.Topics.Poll,
		FlushEvery: a.cfg.Count.Flush, RowsPerSecond: b.rowsPerSecond(a.cfg.Count.RowsPerSecond, a.cfg.Count.Flush),
		MaxPending: least(a.cfg.Count.MaxPending, b.CountPending), PendingRows: b.CountPending, FetchBytes: b.CountFetch,
		ProgressEvery: a.cfg.Count.Progress, DisplayGroup: a.cfg.Count.DisplayGroup, InstanceID: a.cfg.Audit.InstanceID,
	}
	for _, c := range a.cfg.Clusters {
		connect, err := fresh(func() (*sarama.Config, error) { return c.Kafka.Sarama(a.clientID()) }, a.log)
		if err != nil {
			return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
		}
		logical, err := c.Renamer()
		if err != nil {
			return nil, fmt.Errorf("cluster %s: renames: %w", c.Name, err)
		}
		cluster := count.Cluster{Name: c.Name, Tier: c.Tier, Datacenter: c.Datacenter, Brokers: c.Brokers, Config: connect, Audited: audited, Logical: logical}
		if a.cfg.Count.Reader == config.InPlace {
			cluster.InPlace = func() ([]kgo.Opt, error) {
				opts, err := c.Kafka.Franz(a.clientID())
				return append(opts, kgo.Rack(c.Rack)), err
			}
		}
		o.Clusters = append(o.Clusters, cluster)
	}
	return count.New(o), nil
}

// readings is what codecs need to be made.
func (a *App) readings() (*codecs.Env, error) {
	registries, err := a.cfg.Registries()
	if err != nil {
		return nil, fmt.Errorf("schema_registries: %w", err)
	}
	return &codecs.Env{Registries: registries}, nil
}
