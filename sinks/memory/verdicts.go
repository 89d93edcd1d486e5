package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// judged is what verdicts replace each other by.
type judged struct {
	topic string
	audit.Window
}

// WriteVerdicts implements sinks.Sink. A batch is stored whole or not at all.
func (s *Sink) WriteVerdicts(ctx context.Context, batch []*compare.Verdict) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, v := range batch {
		if v.Topic == "" || v.Size <= 0 {
			return fmt.Errorf("write the verdict %s: it has no topic or no window: %w", v.Key(), sinks.ErrRejected)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range batch {
		key := judged{v.Topic, v.Window()}
		if old := s.verdicts[key]; old == nil || v.Version > old.Version {
			s.verdicts[key] = v
		}
	}
	s.sweep()
	return nil
}

// sweepVerdicts drops those of windows that had ended by a moment, Unix seconds.
func (s *Sink) sweepVerdicts(ended int64) {
	maps.DeleteFunc(s.verdicts, func(key judged, _ *compare.Verdict) bool { return key.End() <= ended })
}

// Verdicts implements query.Judgements.
func (s *Sink) Verdicts(ctx context.Context, q query.Verdicts) ([]*compare.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []*compare.Verdict
	for _, v := range s.verdicts {
		if q.Wants(v) {
			list = append(list, v)
		}
	}
	slices.SortFunc(list, query.CompareVerdicts)
	return list, nil
}
