package memory

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// WriteAlerts implements sinks.Sink. A batch is stored whole or not at all.
func (s *Sink) WriteAlerts(ctx context.Context, batch []*query.Alert) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, a := range batch {
		if a.Key == "" {
			return fmt.Errorf("write the alert %q: it has no key: %w", a.Summary, sinks.ErrRejected)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range batch {
		if old := s.alerts[a.Key]; old == nil || a.Version > old.Version {
			s.alerts[a.Key] = a
		}
	}
	s.sweep()
	return nil
}

// sweepAlerts drops those that were over at a moment, Unix seconds.
func (s *Sink) sweepAlerts(over int64) {
	maps.DeleteFunc(s.alerts, func(_ string, a *query.Alert) bool { return a.Resolved != 0 && a.Resolved <= over*1000 })
}

// Alerts implements query.Alerting.
func (s *Sink) Alerts(ctx context.Context, q query.Alerts) ([]*query.Alert, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []*query.Alert
	for _, a := range s.alerts {
		if q.Wants(a) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b *query.Alert) int { return cmp.Or(cmp.Compare(b.Since, a.Since), cmp.Compare(a.Key, b.Key)) })
	if q.Limit > 0 {
		list = list[:min(len(list), q.Limit)]
	}
	return list, nil
}
