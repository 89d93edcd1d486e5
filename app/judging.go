package app

import (
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/views"
)

// judging is how windows are judged.
func (a *App) judging() (judge.Options, error) {
	plan, err := a.cfg.Plan()
	if err != nil {
		return judge.Options{}, fmt.Errorf("pipelines: %w", err)
	}
	env, err := a.readings()
	if err != nil {
		return judge.Options{}, err
	}
	selector, err := a.cfg.Selector(a.o.Codecs, env)
	if err != nil {
		return judge.Options{}, fmt.Errorf("codecs: %w", err)
	}
	return judge.Options{Plan: plan, Size: int64(a.cfg.Windows.Size / time.Second), Digest: func(topic, digest string) string {
		// While a rule is rolled out some clusters are counted with it and some without:
		// before its moment both read alike.
		x := selector.For(topic)
		for _, former := range x.Formers(a.cfg.Windows.Size) {
			if former.Digest == digest {
				return x.Digest(a.cfg.Windows.Size)
			}
		}
		return digest
	}}, nil
}

// viewVerdicts makes the view of the verdicts, for the first of those who read it.
func (a *App) viewVerdicts(config func() *sarama.Config, b bounds) {
	if a.verdicts != nil {
		return
	}
	a.verdicts = views.NewVerdicts(views.Options{
		Brokers: a.cfg.AuditCluster().Brokers, Config: config, Topology: a.topology, Log: a.log.With("part", "verdicts"), Health: a.health, Metrics: a.metrics,
		// A little less than they are on the topic, since partitions do not all know the same time.
		Detail:   a.cfg.Collect.Horizon - min(time.Hour, a.cfg.Collect.Horizon/4),
		MaxBytes: b.VerdictsHeld, FetchBytes: b.ViewsFetch,
	})
}
