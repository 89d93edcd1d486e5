package memory

import (
	"context"
	"maps"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// Records implements query.Recorded.
func (s *Sink) Records(ctx context.Context, topic string, from, to int64) ([]*audit.Record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return query.NewestRecords(topic, from, to, maps.Values(s.topics[topic])), nil
}
