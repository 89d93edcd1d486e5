package query

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A Service answers from two sources as if they were one: windows from a
// boundary on come from the views, older ones from the store. It is a Source
// itself. An answer is whole or an error: it is never shorter because one of
// the two is away. Safe for concurrent use.
type Service struct {
	Recent  Source // nil if there are no views
	History Source // nil if there is no store
	// Boundary is the start, in Unix seconds, from which Recent holds every
	// window; ready is false while the views are still being read, and then
	// History answers for everything. It moves on with time.
	Boundary func() (start int64, ready bool)
}

var errNoStore = fmt.Errorf("no store is configured: %w", ErrUnavailable)

// Windows is Source.Windows.
func (s *Service) Windows(ctx context.Context, q Windows) ([]Row, error) {
	older, newer, err := ask(s.split(), q.From, q.To, func(source Source, from, to int64) ([]Row, error) {
		part := q
		part.From, part.To = from, to
		return source.Windows(ctx, part)
	})
	// In order: both parts are sorted by window first.
	return append(older, newer...), err
}

// Topics is Source.Topics.
func (s *Service) Topics(ctx context.Context, from, to int64) ([]Topic, error) {
	older, newer, err := ask(s.split(), from, to, func(source Source, from, to int64) ([]Topic, error) {
		return source.Topics(ctx, from, to)
	})
	return union(older, newer), err
}

func (s *Service) split() split[Source] { return split[Source]{s.Recent, s.History, s.Boundary} }

// A split is who answers which part of a question.
type split[S comparable] struct {
	recent, history S
	boundary        func() (start int64, ready bool)
}

// ask puts a question about [from, to) to those who can answer it.
func ask[S comparable, T any](s split[S], from, to int64, question func(source S, from, to int64) ([]T, error)) (older, newer []T, err error) {
	var nobody S
	if from >= to {
		return nil, nil, nil
	}
	// Once: it may move between the two halves of an answer.
	boundary, ready := int64(0), false
	if s.recent != nobody && s.boundary != nil {
		boundary, ready = s.boundary()
	}
	if ready && to > boundary {
		newer, err = question(s.recent, max(from, boundary), to)
		switch {
		case errors.Is(err, ErrUnavailable):
			ready = false // it has just ceased to be
		case err != nil:
			return nil, nil, fmt.Errorf("ask the views: %w", err)
		case from >= boundary:
			return nil, newer, nil
		}
	}
	if !ready {
		boundary, newer = to, nil
	}
	if s.history == nobody {
		return nil, nil, historyError(boundary, ready, errNoStore)
	}
	if older, err = question(s.history, from, min(to, boundary)); err != nil {
		return nil, nil, historyError(boundary, ready, err)
	}
	return older, newer, nil
}

func historyError(boundary int64, ready bool, err error) error {
	if !ready {
		return fmt.Errorf("ask the store, since the views are not ready: %w", err)
	}
	return fmt.Errorf("ask the store about windows before %s: %w", time.Unix(boundary, 0).UTC().Format(time.RFC3339), err)
}

// union joins lists of topics whose windows are not the same ones.
func union(lists ...[]Topic) []Topic {
	topics := map[string]Topic{}
	for _, list := range lists {
		for _, t := range list {
			old, ok := topics[t.Name]
			if !ok {
				topics[t.Name] = t
				continue
			}
			old.Tiers, old.Clusters = merged(old.Tiers, t.Tiers), merged(old.Clusters, t.Clusters)
			old.First, old.Last = min(old.First, t.First), max(old.Last, t.Last)
			old.Messages += t.Messages
			topics[t.Name] = old
		}
	}
	all := make([]Topic, 0, len(topics))
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		all = append(all, topics[name])
	}
	return all
}

// merged is sorted and has each once.
func merged(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
