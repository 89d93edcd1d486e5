package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

const completenessPath = "/api/v1/completeness"

var errNoJudge = fmt.Errorf("this instance does not follow the verdicts: %w", query.ErrUnavailable)

// lookBack is how far back completeness goes if nothing else is asked for.
const lookBack = 24 * time.Hour

// waitEvery is how often it is looked whether what a request waits for has come.
const waitEvery = 500 * time.Millisecond

// completing is a question about completeness.
type completing struct {
	topic, pipeline string
	query.Span
}

func (s *Server) completeness(c echo.Context) error {
	p := params{values: c.QueryParams()}
	q := completing{topic: p.topic(p.take("topic")), pipeline: p.take("pipeline")}
	q.Threshold = p.threshold()
	patience := p.wait()
	p.completing(&q, s.o.Now())
	if err := p.err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	end := time.Now().Add(patience)
	for {
		answer, err := s.howComplete(ctx, &q)
		if err != nil {
			return err
		}
		left := time.Until(end)
		if answer.Complete || left <= 0 {
			return c.JSON(http.StatusOK, answer)
		}
		select {
		case <-time.After(min(waitEvery, left)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// completing reads the span: until is what one waits for, and otherwise as to.
func (p *params) completing(q *completing, now time.Time) {
	until, waits := p.time("until")
	to, ok := p.time("to")
	switch {
	case waits && ok:
		p.problem("until and to say the same; give one of them")
	case waits:
		to = until
	case !ok:
		to = now.Unix()
	}
	from, ok := p.time("from")
	if !ok {
		from = max(to-int64(lookBack/time.Second), minTime)
	}
	if from > to {
		p.problem("from, %s, is after the end, %s", instant(from).Format(time.RFC3339), instant(to).Format(time.RFC3339))
	}
	q.From, q.To, q.Whole = from, to, ok
}

func (s *Server) howComplete(ctx context.Context, q *completing) (*v1.Completeness, error) {
	if s.o.Judged == nil {
		return nil, errNoJudge
	}
	q.Now = s.o.Now().Unix()
	if s.o.JudgedSince != nil {
		q.Known = s.o.JudgedSince()
	}
	standings, err := s.o.Judged.Standings(ctx, q.topic)
	if err != nil {
		return nil, err
	}
	if q.pipeline != "" {
		standings = slices.DeleteFunc(slices.Clone(standings), func(st *compare.Standing) bool { return st.Pipeline != q.pipeline })
	}
	if q.topic == "" { // a topic that came later is no reason to wait for the time before
		standings = slices.DeleteFunc(slices.Clone(standings), func(st *compare.Standing) bool { return st.Since >= q.To })
	}
	if err := s.fewEnough(standings, q); err != nil {
		return nil, err
	}
	longest := int64(0) // a window that touches the span may begin before it
	for _, st := range standings {
		longest = max(longest, st.Size)
	}
	// Of what is older than is known nothing is asked: the store need not be there for it.
	judgements, err := query.Outline(ctx, s.o.Judged, query.Verdicts{Topic: q.topic, From: max(q.From-longest, q.Known), To: q.To})
	if err != nil {
		return nil, err
	}
	answer := &v1.Completeness{From: instant(q.From), To: instant(q.To), Threshold: q.Threshold, Topics: []v1.TopicCompleteness{}}
	newest := int64(0)
	for _, st := range standings {
		newest = max(newest, st.Judged)
		c := query.CompletenessOf(st.Topic, st, judgements[st.Topic], q.Span)
		answer.Topics = append(answer.Topics, topicCompletenessOf(&c, q))
	}
	if q.topic != "" && len(standings) == 0 {
		c := query.CompletenessOf(q.topic, nil, nil, q.Span)
		answer.Topics = append(answer.Topics, topicCompletenessOf(&c, q))
	}
	answer.AsOf = millis(newest)
	answer.Complete = len(answer.Topics) > 0 && !slices.ContainsFunc(answer.Topics, func(t v1.TopicCompleteness) bool { return !t.Complete })
	return answer, nil
}

// fewEnough bounds how many windows have to be looked at, and how many are in the answer.
func (s *Server) fewEnough(standings []*compare.Standing, q *completing) error {
	const perRow = 100 // windows of which one row is made
	windows := 0.0
	for _, st := range standings {
		from := q.From
		if !q.Whole {
			from = min(max(from, st.Since), q.To)
		}
		windows += math.Ceil(float64(q.To-from) / float64(max(st.Size, 1)))
	}
	most := perRow * s.o.MaxRows
	if q.topic != "" {
		most = s.o.MaxRows
	}
	if len(standings) > s.o.MaxRows || windows > float64(most) {
		return problemf(v1.TooManyRows, "There are %d topics, with %.0f windows; an answer has at most %d, of %d.", len(standings), windows, s.o.MaxRows, most)
	}
	return nil
}

func topicCompletenessOf(c *query.Completeness, q *completing) v1.TopicCompleteness {
	a := v1.TopicCompleteness{
		Topic: c.Topic, Pipeline: c.Pipeline, From: instant(c.From), Until: instant(c.Until), Provisional: instant(c.Provisional),
		Since: seconds(c.Since), Settled: seconds(c.Settled), Complete: c.Held == nil, Windows: len(c.Windows), Tiers: make([]v1.Reach, len(c.Tiers)),
	}
	worst := compare.Complete
	for i := range c.Windows {
		w := &c.Windows[i]
		switch {
		case !w.State.Settled():
			a.Unsettled++
			continue
		case !w.Complete:
			a.Incomplete++
		}
		if w.Kind.Gravity() < worst.Gravity() {
			worst = w.Kind
		}
	}
	if a.Verdict = string(worst); len(c.Windows) == a.Unsettled {
		a.Verdict = string(compare.Unknown)
	}
	if c.Held != nil {
		a.Held = heldOf(c.Held)
	}
	for i := range c.Tiers {
		a.Tiers[i] = reachOf(&c.Tiers[i])
	}
	if q.topic == "" {
		return a
	}
	for i := range c.Windows {
		a.PerWindow = append(a.PerWindow, windowCompletenessOf(&c.Windows[i]))
	}
	return a
}

func windowCompletenessOf(w *query.WindowCompleteness) v1.WindowCompleteness {
	a := v1.WindowCompleteness{Start: w.Window.From(), End: w.Window.To(), State: string(w.State), Verdict: string(w.Kind), Complete: w.Complete, Empty: w.Empty}
	if w.Ratio >= 0 {
		a.Ratio = &w.Ratio
	}
	for i := range w.Against {
		a.Against = append(a.Against, w.Against[i].Sentence())
	}
	return a
}

func heldOf(h *query.Held) *v1.Held {
	a := &v1.Held{Start: h.Window.From(), State: string(h.State), Verdict: string(h.Kind), Reason: string(h.Reason), Sentence: h.Sentence()}
	a.From, a.To = h.Pair()
	if h.Size > 0 {
		end := h.Window.To()
		a.End = &end
	}
	return a
}

func reachOf(r *compare.Reach) v1.Reach {
	a := v1.Reach{Tier: r.Tier, Until: millis(r.Until), Newest: seconds(r.Newest)}
	for i := range r.Holds {
		h := &r.Holds[i]
		a.Holds = append(a.Holds, v1.Hold{Reason: string(h.Reason), Until: millis(h.Until), Place: placeOf(&h.Place)})
	}
	return a
}

// seconds is millis of Unix seconds.
func seconds(sec int64) *time.Time {
	if sec < minTime || sec > maxTime {
		return nil
	}
	return millis(sec * 1000)
}
