package query

import (
	"cmp"
	"context"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
)

// Verdicts asks for the verdicts of windows that start in [From, To).
type Verdicts struct {
	Topic    string // empty means all
	From, To int64  // Unix seconds
	Pipeline string // empty means any
	// Limit bounds the answer; 0 is no bound. Who answers from memory may give more.
	Limit int
	// Kinds are the verdicts that are wanted; empty means any. Who answers may give others
	// too: see Wanted.
	Kinds []compare.Kind
}

// Wanted says whether a verdict of a kind and pipeline is wanted.
func (q *Verdicts) Wanted(kind compare.Kind, pipeline string) bool {
	return (q.Pipeline == "" || q.Pipeline == pipeline) && (len(q.Kinds) == 0 || slices.Contains(q.Kinds, kind))
}

// Wants says whether a verdict is one of those asked for. It is the measure for every
// other way to answer.
func (q *Verdicts) Wants(v *compare.Verdict) bool {
	return v.Start >= q.From && v.Start < q.To && (q.Topic == "" || q.Topic == v.Topic) && q.Wanted(v.Kind, v.Pipeline)
}

// CompareVerdicts orders verdicts as answers have them: by topic, start and size of the
// window.
func CompareVerdicts(a, b *compare.Verdict) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Size, b.Size))
}

// Judgements answers what the judge has said of windows, recent or old. Safe for
// concurrent use.
type Judgements interface {
	// Verdicts gives the newest verdict of each window that has one, by topic, start and
	// size. They are not to be changed.
	Verdicts(ctx context.Context, q Verdicts) ([]*compare.Verdict, error)
}

// Judged answers what the judge has said. Safe for concurrent use.
type Judged interface {
	Judgements
	// Standings gives how topics stand, all of them for "", by topic.
	Standings(ctx context.Context, topic string) ([]*compare.Standing, error)
}
