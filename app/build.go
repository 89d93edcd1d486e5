package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/api"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/inbox"
	"github.com/chaperone-audit/chaperone/processors/sink"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/views"
)

// build makes the processors and the server, and sets the order in which they stop.
func (a *App) build() error {
	config, err := a.auditConfig()
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	brokers := a.cfg.AuditCluster().Brokers
	b := a.limitMemory()
	if a.has(Count) {
		p, err := a.counting(config, b)
		if err != nil {
			return err
		}
		a.actors.add("count", p.Run)
	}
	if a.has(Collect) {
		judged, err := a.judging()
		if err != nil {
			return err
		}
		p := collect.New(collect.Options{
			Brokers: brokers, Config: config, Topology: a.topology, Log: a.log.With("part", "collect"), Health: a.health, Metrics: a.metrics,
			Horizon: a.cfg.Collect.Horizon, PendingBytes: b.CollectPending, FetchBytes: b.CollectFetch, InstanceID: a.cfg.Audit.InstanceID,
			Judge: judged,
		})
		a.actors.add("collect", p.Run)
	}
	if a.has(Sink) {
		o := sink.Options{
			Brokers: brokers, Config: config, Topology: a.topology, Log: a.log.With("part", "sink"), Health: a.health, Metrics: a.metrics,
			Store: a.store, BatchRecords: a.cfg.Store.BatchRows, BatchAge: a.cfg.Store.BatchAge, WriteTimeout: a.cfg.Store.Timeout,
			BatchBytes: b.SinkBatch, FetchBytes: b.SinkFetch, InstanceID: a.cfg.Audit.InstanceID,
		}
		a.actors.add("sink", sink.New(o).Run)
		a.actors.add("verdict sink", sink.NewVerdicts(o).Run)
		if a.cfg.Alerts.Mode != string(alerts.Off) {
			few := o // alerts are few
			few.BatchBytes, few.FetchBytes = least(o.BatchBytes, 256<<10), least(o.FetchBytes, 256<<10)
			a.actors.add("alert sink", sink.NewAlerts(few).Run)
		}
	}
	if a.has(Alert) {
		if err := a.alerting(config, b); err != nil {
			return err
		}
	}
	server := api.Options{Health: a.health, Metrics: a.metrics, Log: a.log.With("part", "http"), Version: a.o.Version}
	if a.has(Serve) {
		if err := a.takeReports(&server, b); err != nil {
			return err
		}
		a.views = views.New(views.Options{
			Brokers: brokers, Config: config, Topology: a.topology, Log: a.log.With("part", "views"), Health: a.health, Metrics: a.metrics,
			// A little more than is promised, so that "the last so many hours", asked
			// at any moment, never needs the store for a minute at their beginning.
			Detail:   min(a.cfg.Views.Detail+a.cfg.Windows.Size+time.Minute, a.cfg.Collect.Horizon),
			MaxBytes: b.ViewsHeld, FetchBytes: b.ViewsFetch,
		})
		service := &query.Service{Recent: a.views, History: a.store, Boundary: func() (int64, bool) { return a.views.Horizon(), a.views.Ready() }}
		server.Query, server.Records = service, service
		server.Sources, server.Audited = a.views, a.settings
		a.viewVerdicts(config, b)
		judged := &query.JudgedService{Recent: a.verdicts, Boundary: func() (int64, bool) { return a.verdicts.Horizon(), a.verdicts.Ready() }}
		if a.store != nil {
			judged.History, server.Alerts = a.store, a.store
		}
		// The store may have been away for longer than verdicts are on their topic: that it
		// has none of an older window does not mean that nothing was counted.
		server.Judged, server.JudgedSince = judged, a.verdicts.Horizon
		server.Ready = a.ready
	}
	s := api.New(server)
	a.actors.add("http", func(ctx context.Context) error { return s.Serve(ctx, a.listener) })
	if a.views != nil {
		a.actors.add("views", a.views.Run)
	}
	if a.verdicts != nil {
		a.actors.add("verdicts", a.verdicts.Run)
	}
	return nil
}

// takeReports lets applications report their counts over HTTP.
func (a *App) takeReports(server *api.Options, b bounds) error {
	connect, err := a.cfg.AuditCluster().Franz(a.clientID())
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	in, err := inbox.Open(inbox.Options{Connect: connect, Topology: a.topology, Health: a.health, Bytes: b.HTTPBodies})
	if err != nil {
		return err
	}
	a.closers.add("inbox", func() error { in.Close(); return nil })
	if server.Token, err = a.cfg.HTTP.Bearer(); err != nil {
		return err
	}
	for _, c := range a.cfg.Clusters {
		server.KafkaTiers = append(server.KafkaTiers, c.Tier)
	}
	server.Inbox, server.Register = in, a.metrics
	server.MaxBody, server.MaxBodies = int64(least(int(a.cfg.HTTP.MaxBody), b.HTTPBodies)), int64(b.HTTPBodies)
	return nil
}

// ready says why questions cannot be answered yet.
func (a *App) ready() error {
	if !a.views.Ready() || !a.verdicts.Ready() {
		return errors.New("the views are still reading their tables")
	}
	return nil
}
