package views

import (
	"log/slog"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/processors"
	"github.com/chaperone-audit/chaperone/query"
)

// Options of Sources and of Verdicts. Those up to Metrics must be set.
type Options struct {
	Brokers  []string              // of the audit cluster
	Config   func() *sarama.Config // of the audit cluster, fresh each time
	Topology processors.Topology
	Log      *slog.Logger
	Health   *health.Registry
	Metrics  prometheus.Registerer

	// Detail is how long after its end a window is held, by the log's time; 6 h
	// if zero, and 47 h of Verdicts. It bounds the memory, and is at most the
	// collecting processor's Horizon.
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
type Sources struct{ *follower }

var _ query.Source = (*Sources)(nil)

// New makes Sources, with the part "views" in the health registry.
func New(o Options) *Sources {
	if o.Detail == 0 {
		o.Detail = 6 * time.Hour
	}
	f := newFollower(o, "views", o.Topology.CollectTable(), "recent windows")
	f.fresh = func() *replica { return newReplica(o.Detail, o.MaxBytes) }
	return &Sources{f}
}
