package views

import (
	"context"
	"fmt"
	"time"

	"github.com/lovoo/goka"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
)

// Verdicts holds what the judge has said: the compacted topic of verdicts, which is a
// table as far as reading goes. Make it with NewVerdicts; don't forget to Run it. Its
// questions may be asked from any goroutine, before, during and after Run.
type Verdicts struct{ *follower }

var (
	_ query.Judged   = (*Verdicts)(nil)
	_ query.Outliner = (*Verdicts)(nil)
)

// NewVerdicts makes Verdicts, with the part "verdicts" in the health registry.
func NewVerdicts(o Options) *Verdicts {
	if o.Detail == 0 {
		o.Detail = 47 * time.Hour
	}
	f := newFollower(o, "verdicts", goka.Table(o.Topology.VerdictsTopic()), "verdicts")
	f.fresh = func() *replica { return newVerdictsReplica(o.Detail, o.MaxBytes) }
	return &Verdicts{f}
}

func newVerdictsReplica(detail time.Duration, most int) *replica {
	r := newReplica(detail, most)
	r.read, r.outline = readSaid, newOutline()
	return r
}

// readSaid reads what stands on the topic of verdicts. It is held as the rows of the
// collect table are, which have in front what is needed to find out how old they are.
func readSaid(_ string, value []byte) (reading, error) {
	v, s, err := compare.Decode(value)
	switch {
	case err != nil:
		return reading{}, err
	case v != nil:
		return reading{hold: true, verdict: v, Row: table.Row{Appended: v.Judged, Offset: v.Version, Version: v.Version, Until: v.Window().End(), JSON: value}}, nil
	case s != nil:
		return reading{hold: true, standing: s, Row: table.Row{Appended: s.Judged, Offset: s.Version, Version: s.Version, JSON: value}}, nil
	}
	return reading{}, nil // of a kind that is not known here
}

// readHeld reads what readSaid has read before.
func readHeld(value []byte) (reading, error) {
	row, err := table.Parse(value)
	if err != nil {
		return reading{}, err
	}
	return readSaid("", row.JSON)
}

// topic is the one that something was said of.
func (e *reading) topic() string {
	if e.standing != nil {
		return e.standing.Topic
	}
	return e.verdict.Topic
}

// window is zero for a standing.
func (e *reading) window() audit.Window {
	if e.verdict == nil {
		return audit.Window{}
	}
	return e.verdict.Window()
}

// Verdicts is of query.Judged. Windows that start before Horizon may be missing.
func (v *Verdicts) Verdicts(ctx context.Context, q query.Verdicts) ([]*compare.Verdict, error) {
	r, err := v.replica()
	if err != nil {
		return nil, err
	}
	var list []*compare.Verdict
	for _, at := range r.outline.places(&q) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		value, _ := at.store.Get(at.key) // cannot fail
		if value == nil {
			continue // dropped since
		}
		e, err := readHeld(value)
		if err != nil {
			return nil, fmt.Errorf("verdicts: entry %s: %w", at.key, err)
		}
		list = append(list, e.verdict)
	}
	return list, nil
}

// Standings is of query.Judged.
func (v *Verdicts) Standings(_ context.Context, topic string) (list []*compare.Standing, err error) {
	r, err := v.replica()
	if err != nil {
		return nil, err
	}
	return r.outline.standings(topic), nil
}

// Judgements is of query.Outliner.
func (v *Verdicts) Judgements(_ context.Context, q query.Verdicts) (map[string][]query.Judgement, error) {
	r, err := v.replica()
	if err != nil {
		return nil, err
	}
	return r.outline.judgements(&q), nil
}
