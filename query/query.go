// Package query is what can be asked about windows, whoever answers: the views
// for recent hours, a sink's store for older ones.
package query

import (
	"context"
	"errors"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Dimension is something that rows can be told apart by. Rows are always told
// apart by window and tier.
type Dimension string

// Dimensions beyond window and tier.
const (
	ByDatacenter Dimension = "datacenter"
	ByCluster    Dimension = "cluster"
	ByPartition  Dimension = "partition" // implies ByCluster
)

// Windows asks for the tallies of the windows of a topic that start in [From, To).
type Windows struct {
	Topic    string
	From, To int64 // Unix seconds

	// Filters; empty or nil means any.
	Tier, Datacenter, Cluster string
	Partition                 *int32

	By []Dimension
}

// A Row is the tally of one window, summed over everything that By does not
// tell apart: over partitions, instances, segments and generations.
type Row struct {
	Topic string
	audit.Window
	Tier       string
	Datacenter string // if told apart
	Cluster    string // if told apart
	Partition  *int32 // if told apart, and the source is a partition

	audit.Tally
	// Arrival is the latency up to the moment of reading, of the messages that were
	// read as they were written; empty if nobody has measured it.
	Arrival audit.Latency
	// First and Last are the offsets of the first and last message counted, if
	// partitions are told apart; else -1.
	First, Last int64
	Partial     bool // counting began in the middle of the window at some source
	Sources     int  // partitions (of each incarnation of a topic) and instances that the tally is from
	// Originals counts the records of the original Chaperone in the tally, which
	// are not among the Sources: they bring no latency bins and no fingerprint.
	Originals int
}

// A Topic is what is known of a topic in the time asked for.
type Topic struct {
	Name     string
	Tiers    []string // sorted
	Clusters []string // sorted; an application instance may have none
	First    int64    // start of its oldest window in that time, Unix seconds
	Last     int64    // ... and of its newest
	Messages uint64   // in its windows of that time, summed over all tiers
}

// A Source answers. Safe for concurrent use.
type Source interface {
	// Windows gives rows in order of window, tier, datacenter, cluster and
	// partition. No rows is an answer.
	Windows(ctx context.Context, q Windows) ([]Row, error)
	// Topics lists the topics with windows in [from, to), Unix seconds, by name.
	Topics(ctx context.Context, from, to int64) ([]Topic, error)
}

// ErrUnavailable is wrapped by errors that are the source's and not the
// question's: it is down, slow, or still reading its state. Asking again helps.
var ErrUnavailable = errors.New("not available at the moment")
