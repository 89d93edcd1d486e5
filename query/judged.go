package query

import (
	"context"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
)

// Verdicts asks for the verdicts of windows that start in [From, To).
type Verdicts struct {
	Topic    string // empty means all
	From, To int64  // Unix seconds
	Pipeline string // empty means any
	// Kinds are the verdicts that are wanted; empty means any. Who answers may give others
	// too: see Wanted.
	Kinds []compare.Kind
}

// Wanted says whether a verdict of a kind and pipeline is wanted.
func (q *Verdicts) Wanted(kind compare.Kind, pipeline string) bool {
	return (q.Pipeline == "" || q.Pipeline == pipeline) && (len(q.Kinds) == 0 || slices.Contains(q.Kinds, kind))
}

// Judged answers what the judge has said. Safe for concurrent use.
type Judged interface {
	// Verdicts gives the newest verdict of each window that has one, by topic and start.
	Verdicts(ctx context.Context, q Verdicts) ([]*compare.Verdict, error)
	// Standings gives how topics stand, all of them for "", by topic.
	Standings(ctx context.Context, topic string) ([]*compare.Standing, error)
}
