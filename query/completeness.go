package query

import (
	"cmp"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// A Span asks how far a topic is complete, from the window that holds From up to the one
// before To, in Unix seconds.
type Span struct {
	From, To int64
	// Whole says that From matters by itself: what nobody knows of it is unknown. Else
	// the answer begins where something is known.
	Whole bool
	// Threshold is how much of what went in has to have come out, from 0 to 1.
	Threshold float64
	Now       int64 // Unix seconds
	// Known is the start of the first window from which on who answers has every verdict;
	// of what was before it the absence of a verdict says nothing.
	Known int64
}

// A Completeness says how far a topic is complete.
type Completeness struct {
	Topic, Pipeline string
	Size            int64 // of windows, seconds; 0: nobody has heard of the topic
	// From is where the answer begins, the start of a window.
	From int64
	// Until is a time such that every window from From up to it is complete, Unix
	// seconds: From, if the first one is not.
	Until int64
	// Provisional is likewise, with windows that have ended and lack nothing so far.
	Provisional int64
	Since       int64 // start of the oldest window of which something is known; 0: of none
	Settled     int64 // end of the newest window such that it and all before it are settled; 0: none is
	Held        *Held // what keeps Until from the end of what was asked for; nil: nothing does
	Tiers       []compare.Reach
	Windows     []WindowCompleteness
}

// A WindowCompleteness is one window of a Completeness.
type WindowCompleteness struct {
	audit.Window
	State    compare.State
	Kind     compare.Kind
	Ratio    float64 // below 0: nobody knows
	Complete bool
	// Empty says that there is no verdict because nobody has counted a message in the
	// window: it is complete at zero, if it is settled.
	Empty   bool
	Against []compare.Finding
	// lacking says that something speaks against completeness already.
	lacking bool
	// finding is what does; nil if it is only that nothing is known yet.
	finding *compare.Finding
	reason  compare.Reason // of windows without a verdict that nobody knows
}

// Reasons for which nothing is known of a window, beside those of package compare.
const (
	Unheard   compare.Reason = "unheard"   // the topic was not heard of before a later window
	Forgotten compare.Reason = "forgotten" // it is older than what is kept
	NotEnded  compare.Reason = "not_ended" // its time has not come
	Unsettled compare.Reason = "unsettled" // messages may be on their way, or a tier is not counted yet
)

// CompletenessOf tells how far a topic is complete, given how it stands, nil for a topic
// that nobody has heard of, and the judgements of its windows by start, those at least
// that touch the span. It is pure.
//
// A window without a judgement is complete at zero if the standing says that it is
// settled. One is complete if all judgements that touch it are: tiers that have windows
// of another size are judged apart.
func CompletenessOf(topic string, s *compare.Standing, judgements []Judgement, span Span) Completeness {
	c := Completeness{Topic: topic, From: span.From, Until: span.From, Provisional: span.From}
	if s == nil || s.Size <= 0 {
		c.Held = &Held{Window: audit.Window{Start: span.From}, State: compare.Provisional, Kind: compare.Unknown, Reason: Unheard}
		return c
	}
	c.Pipeline, c.Size, c.Since, c.Settled, c.Tiers = s.Pipeline, s.Size, max(s.Since, ceil(span.Known, s.Size)), s.Until, s.Tiers
	c.From = floor(span.From, s.Size)
	if !span.Whole {
		c.From = max(c.From, c.Since)
	}
	c.Until, c.Provisional = c.From, c.From
	if c.From >= span.To && span.From < span.To { // all of it was before
		w := c.window(audit.Window{Start: floor(span.From, s.Size), Size: s.Size}, s, nil, &span)
		c.Held = heldBy(&w, s)
		return c
	}
	touching := newTouching(judgements)
	complete, provisional := true, true
	for start := c.From; start < span.To; start += s.Size {
		w := c.window(audit.Window{Start: start, Size: s.Size}, s, touching.of(start, start+s.Size), &span)
		c.Windows = append(c.Windows, w)
		if complete = complete && w.Complete; complete {
			c.Until = w.End()
		} else if c.Held == nil {
			c.Held = heldBy(&w, s)
		}
		if provisional = provisional && (w.Complete || w.State == compare.Provisional && !w.lacking); provisional {
			c.Provisional = w.End()
		}
	}
	return c
}

// window tells of one window.
func (c *Completeness) window(at audit.Window, s *compare.Standing, judgements []Judgement, span *Span) WindowCompleteness {
	w := WindowCompleteness{Window: at, State: compare.Final, Kind: compare.Complete, Ratio: 1, Empty: len(judgements) == 0}
	settled, exact := true, false
	for i := range judgements {
		j := &judgements[i]
		exact = exact || j.Window == at
		settled = settled && j.State.Settled()
		if j.Kind.Gravity() < w.Kind.Gravity() {
			w.Kind = j.Kind
		}
		if j.State == compare.Amended {
			w.State = compare.Amended
		}
		w.Ratio = min(w.Ratio, j.Ratio)
		w.Against = append(w.Against, j.Against...)
		if _, against := j.Complete(span.Threshold); against != nil && w.finding == nil {
			w.finding, w.lacking = against, true
		}
	}
	inside := at.Start >= c.Since
	// No verdict says something only where all is settled and nothing is forgotten.
	known := inside && (exact || at.End() <= s.Until)
	switch {
	case !inside && at.Start >= s.Since:
		w.reason = Forgotten
	case !inside:
		w.reason = Unheard
	case inside && w.Empty && c.doubt(at, s, &w):
		return w
	case known && settled && at.End() <= span.Now: // the audit's clock may have been ahead
		w.Complete = !w.lacking && w.Ratio >= span.Threshold
		return w
	case at.End() > span.Now:
		w.State, w.reason = compare.Open, NotEnded
	default:
		w.State, w.reason = compare.Provisional, Unsettled
	}
	if !known && w.Kind == compare.Complete {
		w.Kind, w.Ratio = compare.Unknown, -1
	}
	if w.State == compare.Open || !inside || !known && !countedPast(s, at) {
		w.lacking = true
	}
	if !inside {
		w.State, w.finding = compare.Provisional, nil
	}
	return w
}

// doubt says whether more may have passed in a window without a verdict than was counted.
func (c *Completeness) doubt(at audit.Window, s *compare.Standing, w *WindowCompleteness) bool {
	for i := range s.Doubts {
		d := &s.Doubts[i]
		if !d.Touches(at) {
			continue
		}
		w.Kind, w.Ratio, w.lacking, w.reason = compare.Unknown, -1, true, d.Reason
		w.finding = &compare.Finding{Kind: compare.Unknown, Reason: d.Reason, To: d.Tier, Messages: d.Messages, Bound: d.Bound, Detail: d.Detail, Places: []compare.Place{d.Place}}
		w.Against = append(w.Against, *w.finding)
		return true
	}
	return false
}

// countedPast says whether all tiers have been counted past a window.
func countedPast(s *compare.Standing, w audit.Window) bool {
	return len(s.Tiers) > 0 && !slices.ContainsFunc(s.Tiers, func(r compare.Reach) bool { return r.Until < w.End()*1000 })
}

// touching finds the judgements that touch a window.
type touching struct {
	list    []Judgement // by start
	longest int64
}

func newTouching(list []Judgement) *touching {
	t := &touching{list: list}
	for i := range list {
		t.longest = max(t.longest, list[i].Size)
	}
	return t
}

func (t *touching) of(start, end int64) (list []Judgement) {
	i, _ := slices.BinarySearchFunc(t.list, start-t.longest, func(j Judgement, start int64) int { return cmp.Compare(j.Start, start) })
	first := -1
	for ; i < len(t.list) && t.list[i].Start < end; i++ {
		if t.list[i].End() <= start {
			if first >= 0 { // of those that follow some touch and some do not
				list = append(list, t.list[first:i]...)
				first = -1
			}
			continue
		}
		if first < 0 {
			first = i
		}
	}
	if first < 0 {
		return list
	}
	if list == nil {
		return t.list[first:i:i]
	}
	return append(list, t.list[first:i]...)
}

func floor(sec, size int64) int64 { return audit.WindowAt(sec*1000, size).Start }

func ceil(sec, size int64) int64 { return floor(sec+size-1, size) }
