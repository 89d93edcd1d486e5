package compare

import (
	"cmp"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// Input is what the judgement of a window rests on.
type Input struct {
	Pipeline *Pipeline
	Window   audit.Window
	Now      int64 // the audit topic's time, Unix milliseconds
	// Sides are the tiers of the pipeline that have the topic, in order.
	Sides []Side
	// Counted says, for each side, whether all its sources have been counted past the
	// window and its grace.
	Counted []bool
	// Neighbours gives the sums of two tiers in the windows before and after, where there
	// are any; nil: there are none.
	Neighbours func(from, to string) [][2]Sum
	// Kept says whether messages keep their partition between two tiers, as other windows
	// show; nil: nobody knows.
	Kept func(from, to string) bool
	// AtFinal is how many messages each tier had when the window was final; nil: it was
	// not yet.
	AtFinal map[string]uint64
}

// Judge says what there is to say of a window, the gravest first, and what each tier has
// counted.
func Judge(in *Input) (findings []Finding, counts []Count) {
	counts = make([]Count, 0, len(in.Sides))
	for i := range in.Sides {
		s := &in.Sides[i]
		counts = append(counts, s.count(in.Counted[i]))
		findings = append(findings, s.doubts()...)
	}
	switch {
	case len(in.Pipeline.Tiers) > 0:
		for i := 1; i < len(in.Sides); i++ {
			findings = append(findings, in.pair(i)...)
		}
	case len(in.Sides) > 1:
		findings = append(findings, Finding{Kind: Unknown, Reason: NoPipeline, Bound: Unbounded})
	}
	findings = append(findings, in.arrived(counts)...)
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(a.Kind.Gravity(), b.Kind.Gravity()) })
	return findings, counts
}

// doubts are findings of one tier, one for each reason.
func (s *Side) doubts() (findings []Finding) {
	for i := range s.Doubts {
		d := &s.Doubts[i]
		var f *Finding
		for j := range findings {
			if findings[j].Reason == d.Reason {
				f = &findings[j]
			}
		}
		if f == nil {
			findings = append(findings, Finding{Kind: Unknown, Reason: d.Reason, To: s.Tier, Bound: d.Bound, Detail: d.Detail})
			f = &findings[len(findings)-1]
		}
		f.Messages += d.Messages
		if d.Bound != AtMost {
			f.Bound, f.Messages = Unbounded, 0
		}
		if len(f.Places) < MostPlaces {
			f.Places = append(f.Places, d.Place)
		}
	}
	return findings
}

// arrived is what has come since the window was final, at the tier where it was late:
// what the tier before has got more, too, was late there.
func (in *Input) arrived(counts []Count) (findings []Finding) {
	if in.AtFinal == nil {
		return nil
	}
	before := uint64(0)
	for _, c := range counts {
		more := c.Messages - min(c.Messages, in.AtFinal[c.Tier])
		if more > before {
			findings = append(findings, Finding{Kind: Late, Reason: Arrived, To: c.Tier, Messages: more - before})
		}
		before = more
	}
	return findings
}
