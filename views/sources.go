package views

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/query"
)

// Options of Sources. Those up to Metrics must be set.
type Options struct {
	Brokers  []string              // of the audit cluster
	Config   func() *sarama.Config // of the audit cluster, fresh each time
	Topology processors.Topology
	Log      *slog.Logger
	Health   *health.Registry
	Metrics  prometheus.Registerer

	// Detail is how long after its end a window is held, by the log's time; 6 h
	// if zero. It bounds the memory, and is at most the collecting processor's
	// Horizon.
	Detail time.Duration
	// MaxBytes bounds keys and values that are held; 0 is no bound. Where Detail
	// would take more, the oldest windows are dropped, and Horizon says so.
	MaxBytes int
	// FetchBytes is how much brokers may send at a time; see shards.Options.
	FetchBytes int
	// CheckEvery is how often the view is compared with the table and relieved of
	// what is older than Detail; 5 s if zero.
	CheckEvery time.Duration
}

// Sources holds the collect table. Make it with New; don't forget to Run it. Its
// questions may be asked from any goroutine, before, during and after Run.
type Sources struct {
	o       Options
	health  *health.Part
	current atomic.Pointer[replica] // nil until the table has been read once
	metrics *metrics
}

var _ query.Source = (*Sources)(nil)

// New makes Sources, with the part "views" in the health registry.
func New(o Options) *Sources {
	if o.Detail == 0 {
		o.Detail = 6 * time.Hour
	}
	if o.CheckEvery == 0 {
		o.CheckEvery = 5 * time.Second
	}
	s := &Sources{o: o, health: o.Health.Part("views")}
	s.metrics = newMetrics(o.Metrics, s)
	return s
}

// Run keeps the table in memory until ctx ends, and then returns nil. What goes
// wrong is healed by reading the table anew, after a pause that grows to 30 s;
// until that is done the former state answers.
func (s *Sources) Run(ctx context.Context) error {
	const least, most = time.Second, 30 * time.Second
	pause := least
	for {
		began := time.Now()
		err := s.once(ctx)
		if ctx.Err() != nil {
			return nil
		}
		s.metrics.restarts.Inc()
		s.health.Down(fmt.Sprintf("view of %s: %v; trying again", s.o.Topology.CollectTable(), err))
		s.o.Log.Warn("view ended, building it anew", "table", s.o.Topology.CollectTable(), "err", err, "pause", pause)
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
func (s *Sources) Ready() bool { return s.current.Load() != nil }

// Horizon is the window start, in Unix seconds, from which on answers are
// complete; windows before it may lack records or be gone. It rises with the
// log's time. A window that lay in the future by more than Detail when it was
// recorded may be gone too. 0 as long as Sources is not Ready or nothing has been
// collected.
func (s *Sources) Horizon() int64 {
	r := s.current.Load()
	if r == nil || r.now.Load() == 0 {
		return 0
	}
	return (r.from() + 999) / 1000
}

// AsOf is the append time of the newest record that the view has seen; zero
// before the first.
func (s *Sources) AsOf() time.Time {
	r := s.current.Load()
	if r == nil || r.now.Load() == 0 {
		return time.Time{}
	}
	return time.UnixMilli(r.now.Load()).UTC()
}

// replica gives what is held now.
func (s *Sources) replica() (*replica, error) {
	r := s.current.Load()
	if r == nil {
		return nil, fmt.Errorf("view of %s: still reading the table: %w", s.o.Topology.CollectTable(), query.ErrUnavailable)
	}
	return r, nil
}

var errEnded = errors.New("the view ended without an error")
