package app

import (
	"errors"
	"fmt"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/processors/alert"
)

// alerting adds the part that runs the rules, unless they are off.
func (a *App) alerting(auditConfig func() *sarama.Config, b bounds) error {
	section, err := a.cfg.Alerting()
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	if section.Mode == alerts.Off {
		if len(a.o.Parts) == 1 {
			return errors.New("alerts.mode: is off, and the rules are all that this instance has to do; use shadow or on")
		}
		return nil
	}
	judged := a.o.Judged
	if judged == nil {
		a.viewVerdicts(auditConfig, b)
		judged = a.verdicts
	}
	rules, err := alerts.New(section)
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	notifiers, err := a.cfg.Notifiers()
	if err != nil {
		return fmt.Errorf("alerts: %w", err)
	}
	p := alert.New(alert.Options{
		Brokers: a.cfg.AuditCluster().Brokers, Config: auditConfig, Topology: a.topology, Log: a.log.With("part", "alert"), Health: a.health, Metrics: a.metrics,
		Rules: rules, Judged: judged, Notifiers: notifiers, InstanceID: a.cfg.Audit.InstanceID,
	})
	a.actors.add("alert", p.Run)
	return nil
}
