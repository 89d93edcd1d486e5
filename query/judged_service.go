package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
)

// A JudgedService answers what the judge has said from two sources as if they were one,
// as a Service does: verdicts of windows from a boundary on come from the views, those of
// older ones from the store. It is Judged itself. An answer is whole or an error. Safe for
// concurrent use.
type JudgedService struct {
	Recent  Judged     // nil if there are no views
	History Judgements // nil if there is no store
	// Boundary is as that of a Service.
	Boundary func() (start int64, ready bool)
}

var errNoViews = fmt.Errorf("no views are configured: %w", ErrUnavailable)

// Verdicts is Judgements.Verdicts.
func (s *JudgedService) Verdicts(ctx context.Context, q Verdicts) ([]*compare.Verdict, error) {
	var recent Judgements // the views as well, for this question
	if s.Recent != nil {
		recent = s.Recent
	}
	older, newer, err := ask(split[Judgements]{recent, s.History, s.Boundary}, q.From, q.To, func(source Judgements, from, to int64) ([]*compare.Verdict, error) {
		part := q
		part.From, part.To = from, to
		return source.Verdicts(ctx, part)
	})
	all := append(older, newer...)
	slices.SortFunc(all, CompareVerdicts) // by topic first: each has windows in both
	return all, err
}

// Judgements is Outliner.Judgements: the views list theirs without reading the verdicts.
func (s *JudgedService) Judgements(ctx context.Context, q Verdicts) (map[string][]Judgement, error) {
	var recent Judgements
	if s.Recent != nil {
		recent = s.Recent
	}
	type list struct {
		topic      string
		judgements []Judgement
	}
	older, newer, err := ask(split[Judgements]{recent, s.History, s.Boundary}, q.From, q.To, func(source Judgements, from, to int64) ([]list, error) {
		part := q
		part.From, part.To = from, to
		found, err := Outline(ctx, source, part)
		var all []list
		for topic, judgements := range found {
			all = append(all, list{topic, judgements})
		}
		return all, err
	})
	all := map[string][]Judgement{}
	for _, l := range append(older, newer...) { // the older ones first
		all[l.topic] = append(all[l.topic], l.judgements...)
	}
	return all, err
}

// Standings is Judged.Standings. They are about now, so the views alone know.
func (s *JudgedService) Standings(ctx context.Context, topic string) ([]*compare.Standing, error) {
	if s.Recent == nil {
		return nil, errNoViews
	}
	list, err := s.Recent.Standings(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("ask the views: %w", err)
	}
	return list, nil
}
