package query

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// Recorded answers with the records that counts are made of. Safe for concurrent use.
type Recorded interface {
	// Records gives what NewestRecords makes of all records: with counts, fingerprints and
	// offsets at least.
	Records(ctx context.Context, topic string, from, to int64) ([]*audit.Record, error)
}

// NewestRecords are the records that count of the windows of a topic that start in
// [from, to): of each identity the highest version, without generations that a recount
// has superseded, in order of window and identity. It takes records as Group does.
func NewestRecords(topic string, from, to int64, records iter.Seq[*audit.Record]) []*audit.Record {
	about := func(r *audit.Record) bool { return r.Topic == topic }
	wanted := func(r *audit.Record) bool { return r.Start >= from && r.Start < to }
	list := slices.Collect(newest(records, about, wanted))
	slices.SortFunc(list, func(a, b *audit.Record) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Size, b.Size), cmp.Compare(a.IdentityKey(), b.IdentityKey()))
	})
	return list
}

// Records is of Recorded, if those who are asked are.
func (s *Service) Records(ctx context.Context, topic string, from, to int64) ([]*audit.Record, error) {
	older, newer, err := ask(s.split(), from, to, func(source Source, from, to int64) ([]*audit.Record, error) {
		r, ok := source.(Recorded)
		if !ok {
			return nil, fmt.Errorf("it does not give records: %w", ErrUnavailable)
		}
		return r.Records(ctx, topic, from, to)
	})
	return append(older, newer...), err
}
