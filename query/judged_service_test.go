package query_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// judged answers from verdicts, or fails.
type judged struct {
	verdicts []*compare.Verdict
	err      error
	asked    []string
}

func (j *judged) Verdicts(_ context.Context, q query.Verdicts) (list []*compare.Verdict, _ error) {
	j.asked = append(j.asked, fmt.Sprintf("[%d,%d)", q.From, q.To))
	if j.err != nil {
		return nil, j.err
	}
	for _, v := range j.verdicts {
		if q.Wants(v) {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, query.CompareVerdicts)
	return list, nil
}

func (j *judged) Standings(_ context.Context, topic string) ([]*compare.Standing, error) {
	if j.err != nil {
		return nil, j.err
	}
	return []*compare.Standing{{Topic: topic, Until: 1800}}, nil
}

func windowsJudged(topics ...string) (list []*compare.Verdict) {
	for _, topic := range topics {
		for start := int64(0); start <= 1800; start += 600 {
			list = append(list, &compare.Verdict{Topic: topic, Start: start, Size: 600, Pipeline: "of " + topic})
		}
	}
	return list
}

func TestJudgedService(t *testing.T) {
	away := fmt.Errorf("connection refused: %w", query.ErrUnavailable)
	for _, c := range []struct {
		outcome        string
		from, to       int64
		topic          string
		notReady       bool
		recent, store  error
		nobody         bool // there is no store
		blind          bool // there are no views
		recently, past string
		want           string // topics and starts of the windows, or the error
	}{
		{outcome: "recent windows come from the views", from: 1200, to: 2400, topic: "a", recently: "[1200,2400)", want: "a1200 a1800"},
		{outcome: "older ones from the store", from: 0, to: 1200, topic: "b", past: "[0,1200)", want: "b0 b600"},
		{outcome: "a range over the boundary from both", from: 600, to: 1800, topic: "a", recently: "[1200,1800)", past: "[600,1200)", want: "a600 a1200"},
		{outcome: "topics are not torn apart by the boundary", from: 600, to: 1800, recently: "[1200,1800)", past: "[600,1200)", want: "a600 a1200 b600 b1200"},
		{outcome: "an empty range asks nobody", from: 1800, to: 1800},
		{outcome: "views that are not ready are not asked", from: 600, to: 1800, topic: "a", notReady: true, past: "[600,1800)", want: "a600 a1200"},
		{outcome: "views that cease to be ready give way", from: 600, to: 1800, topic: "a", recent: away, recently: "[1200,1800)", past: "[600,1800)", want: "a600 a1200"},
		{outcome: "without views the store answers", from: 600, to: 1800, topic: "a", blind: true, past: "[600,1800)", want: "a600 a1200"},
		{outcome: "recent ranges need no store", from: 1200, to: 1800, topic: "a", nobody: true, recently: "[1200,1800)", want: "a1200"},
		{outcome: "a store that is away is an error, not a shorter answer", from: 600, to: 1800, store: away, recently: "[1200,1800)", past: "[600,1200)",
			want: "ask the store about windows before 1970-01-01T00:20:00Z: connection refused: not available at the moment"},
		{outcome: "no store at all likewise", from: 600, to: 1800, nobody: true, recently: "[1200,1800)",
			want: "ask the store about windows before 1970-01-01T00:20:00Z: no store is configured: not available at the moment"},
		{outcome: "another error of the views is not hidden", from: 600, to: 1800, recent: errors.New("a defect"), recently: "[1200,1800)", want: "ask the views: a defect"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			// Both hold everything, so that a window from the wrong one would be there twice.
			recent, store := &judged{verdicts: windowsJudged("b", "a"), err: c.recent}, &judged{verdicts: windowsJudged("a", "b"), err: c.store}
			s := &query.JudgedService{Recent: recent, History: store, Boundary: func() (int64, bool) { return 1200, !c.notReady }}
			if c.nobody {
				s.History = nil
			}
			if c.blind {
				s.Recent = nil
			}
			list, err := s.Verdicts(t.Context(), query.Verdicts{Topic: c.topic, From: c.from, To: c.to})
			got := ""
			for _, v := range list {
				got += fmt.Sprintf(" %s%d", v.Topic, v.Start)
			}
			if err != nil {
				got = err.Error()
			}
			if strings.TrimSpace(got) != c.want || err != nil && list != nil {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if strings.HasSuffix(c.want, "moment") != errors.Is(err, query.ErrUnavailable) {
				t.Errorf("unavailable: %t", errors.Is(err, query.ErrUnavailable))
			}
			if got := strings.Join(recent.asked, " "); got != c.recently {
				t.Errorf("views were asked %q, want %q", got, c.recently)
			}
			if got := strings.Join(store.asked, " "); got != c.past {
				t.Errorf("the store was asked %q, want %q", got, c.past)
			}
		})
	}
}

func TestAPipelineIsAskedForOnBothSides(t *testing.T) {
	s := &query.JudgedService{Recent: &judged{verdicts: windowsJudged("a", "b")}, History: &judged{verdicts: windowsJudged("a", "b")}, Boundary: func() (int64, bool) { return 1200, true }}
	list, err := s.Verdicts(t.Context(), query.Verdicts{To: 2400, Pipeline: "of b"})
	if err != nil || len(list) != 4 || list[0].Topic != "b" || list[3].Start != 1800 {
		t.Errorf("got %+v, %v", list, err)
	}
}

func TestStandingsComeFromTheViewsAlone(t *testing.T) {
	store := &judged{}
	s := &query.JudgedService{History: store}
	if _, err := s.Standings(t.Context(), "a"); !errors.Is(err, query.ErrUnavailable) {
		t.Errorf("without views: %v", err)
	}
	s.Recent = &judged{err: fmt.Errorf("still reading: %w", query.ErrUnavailable)}
	if _, err := s.Standings(t.Context(), "a"); !errors.Is(err, query.ErrUnavailable) || !strings.Contains(err.Error(), "ask the views: still reading") {
		t.Errorf("while they read: %v", err)
	}
	s.Recent = &judged{}
	if list, err := s.Standings(t.Context(), "a"); err != nil || len(list) != 1 || list[0].Topic != "a" {
		t.Errorf("got %+v, %v", list, err)
	}
}
