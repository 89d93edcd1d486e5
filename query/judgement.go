package query

import (
	"context"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// A Judgement is the part of a verdict that completeness is made of. It is small, so that
// those of all topics and windows can be held in memory and listed at once.
type Judgement struct {
	audit.Window
	Pipeline string
	State    compare.State
	Kind     compare.Kind
	Ratio    float64
	// Against are the findings that speak against completeness, or make the verdict: the
	// gravest first, without places and names of messages. There are none of most windows.
	Against []compare.Finding
}

// JudgementOf a verdict.
func JudgementOf(v *compare.Verdict) Judgement {
	j := Judgement{Window: v.Window(), Pipeline: v.Pipeline, State: v.State, Kind: v.Kind, Ratio: v.Ratio()}
	for i := range v.Findings {
		f := v.Findings[i]
		if f.Explained || f.Kind == compare.Complete {
			continue
		}
		f.Places, f.IDs = nil, nil
		j.Against = append(j.Against, f)
	}
	return j
}

// Complete says whether the window is complete as far as the threshold asks, and if it is
// not, what speaks against it; nil: only that the window is not settled yet.
//
// Unknown is never complete, whatever the threshold. What is late because a tier is
// behind will come, so the answer would change: it is not complete either. Messages that
// are there too often do no harm to completeness, if it is known how many they are; and of
// a number that is a lower bound no share can be told.
func (j *Judgement) Complete(threshold float64) (ok bool, against *compare.Finding) {
	against = j.lacks(threshold)
	return against == nil && j.State.Settled() && j.Ratio >= threshold, against
}

// lacks gives the gravest finding that speaks against completeness.
func (j *Judgement) lacks(threshold float64) *compare.Finding {
	for i := range j.Against {
		f := &j.Against[i]
		switch f.Kind {
		case compare.Missing, compare.Altered:
			if f.Bound != compare.Exactly || j.Ratio < threshold {
				return f
			}
		case compare.Duplicated:
			if f.Bound != compare.Exactly {
				return f
			}
		case compare.Unknown:
			return f
		case compare.Late:
			if f.Reason == compare.Behind {
				return f
			}
		}
	}
	return nil
}

// An Outliner is a Judged that can list judgements without reading the verdicts.
type Outliner interface {
	// Judgements gives those of windows that have one, by topic, and there by start. They
	// are not to be changed.
	Judgements(ctx context.Context, q Verdicts) (map[string][]Judgement, error)
}

// Outline asks for judgements, of whatever can give them.
func Outline(ctx context.Context, of Judgements, q Verdicts) (map[string][]Judgement, error) {
	if o, ok := of.(Outliner); ok {
		return o.Judgements(ctx, q)
	}
	verdicts, err := of.Verdicts(ctx, q)
	if err != nil {
		return nil, err
	}
	all := map[string][]Judgement{}
	for _, v := range verdicts {
		all[v.Topic] = append(all[v.Topic], JudgementOf(v))
	}
	return all, nil
}
