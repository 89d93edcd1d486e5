package views

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
)

// A follower holds a table of the audit cluster in memory: it reads it, follows it, and
// reads it anew when that goes wrong. What it holds outlives the goka view that fills it.
type follower struct {
	o       Options
	table   goka.Table
	what    string          // what is known from the table, for people: recent windows
	fresh   func() *replica // an empty one
	health  *health.Part
	current atomic.Pointer[replica] // nil until the table has been read once
	metrics *metrics
}

// newFollower makes a follower, which is a part of the health registry and a subsystem of
// the metrics by the same name.
func newFollower(o Options, part string, table goka.Table, what string) *follower {
	if o.CheckEvery == 0 {
		o.CheckEvery = 5 * time.Second
	}
	f := &follower{o: o, table: table, what: what, health: o.Health.Part(part)}
	f.metrics = newMetrics(o.Metrics, part, f)
	return f
}

// Run keeps the table in memory until ctx ends, and then returns nil. What goes
// wrong is healed by reading the table anew, after a pause that grows to 30 s;
// until that is done the former state answers.
func (f *follower) Run(ctx context.Context) error {
	const least, most = time.Second, 30 * time.Second
	pause := least
	for {
		began := time.Now()
		err := f.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		f.metrics.restarts.Inc()
		f.health.Down(fmt.Sprintf("view of %s: %v; trying again", f.table, err))
		f.o.Log.Warn("view ended, building it anew", "table", f.table, "err", err, "pause", pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if pause = min(2*pause, most); time.Since(began) > 2*most {
			pause = least
		}
	}
}

// Ready says whether the table has been read once, so that questions are answered.
func (f *follower) Ready() bool { return f.current.Load() != nil }

// Horizon is the window start, in Unix seconds, from which on answers are
// complete; windows before it may lack records or be gone. It rises with the
// log's time. A window that lay in the future by more than Detail when it was
// recorded may be gone too. 0 as long as the view is not Ready or nothing has been
// collected.
func (f *follower) Horizon() int64 {
	r := f.current.Load()
	if r == nil || r.now.Load() == 0 {
		return 0
	}
	return (r.from() + 999) / 1000
}

// AsOf is the append time of the newest record that the view has seen; zero
// before the first.
func (f *follower) AsOf() time.Time {
	r := f.current.Load()
	if r == nil || r.now.Load() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.now.Load()).UTC()
}

// replica gives what is held now.
func (f *follower) replica() (*replica, error) {
	r := f.current.Load()
	if r == nil {
		return nil, fmt.Errorf("view of %s: still reading the table: %w", f.table, query.ErrUnavailable)
	}
	return r, nil
}

// once reads the table and follows it until something goes wrong or ctx ends.
func (f *follower) once(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := sarama.NewClient(f.o.Brokers, shards.AskConfig(f.o.Config()))
	if err != nil {
		return fmt.Errorf("connect to the audit cluster %v: %w", f.o.Brokers, err)
	}
	defer client.Close()

	r := f.fresh()
	var open closers
	defer open.close()
	view, err := f.view(r, client, &open)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- view.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	recovered := view.WaitRunning()
	check := time.NewTicker(f.o.CheckEvery)
	defer check.Stop()
	stuck := newLag(f.o.CheckEvery)
	for {
		select {
		case <-recovered:
			recovered = nil
			f.current.Store(r)
			f.health.OK()
			rows, bytes := r.size()
			f.o.Log.Info("view has read the table", "table", view.Topic(), "rows", rows, "bytes", bytes)
		case <-check.C:
			r.sweep()
			r.trim()
			if recovered != nil {
				continue
			}
			behind, err := stuck.measure(client, view.Topic(), r)
			if err != nil {
				return err
			}
			f.metrics.behind.Set(float64(behind))
			f.report(view.CurrentState(), r)
		case err := <-ended:
			ended <- nil // for the deferred wait
			if err == nil {
				err = errEnded
			}
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// report says how the view is, once it has read the table.
func (f *follower) report(state goka.ViewState, r *replica) {
	switch n := r.unread.Load(); {
	case state != goka.ViewStateRunning:
		f.health.Degraded(fmt.Sprintf("the audit cluster does not answer; %s are as of %s", f.what, f.AsOf().Format(time.RFC3339)))
	case n > 0:
		f.health.Degraded(fmt.Sprintf("%d entries of table %s are in a format that this program does not know, and %s may lack them: update it", n, f.table, f.what))
	default:
		f.health.OK()
	}
}

var errEnded = errors.New("the view ended without an error")
