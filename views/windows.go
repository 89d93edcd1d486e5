package views

import (
	"context"
	"fmt"
	"iter"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
)

// Windows is of query.Source. Windows that start before Horizon may be answered
// incompletely.
func (s *Sources) Windows(ctx context.Context, q query.Windows) ([]query.Row, error) {
	if q.Topic == "" {
		return nil, nil
	}
	r, err := s.replica()
	if err != nil {
		return nil, err
	}
	var failed error
	rows := query.Group(q, func(yield func(*audit.Record) bool) {
		failed = eachRecord(ctx, r.about(q.Topic), q.From, q.To, (*entry).decode, yield)
	})
	if failed != nil {
		return nil, fmt.Errorf("windows of topic %s: %w", q.Topic, failed)
	}
	return rows, nil
}

// Topics is of query.Source.
func (s *Sources) Topics(ctx context.Context, from, to int64) ([]query.Topic, error) {
	r, err := s.replica()
	if err != nil {
		return nil, err
	}
	var failed error
	topics := query.GroupTopics(from, to, func(yield func(*audit.Record) bool) {
		failed = eachRecord(ctx, r.about(""), from, to, (*entry).outline, yield)
	})
	if failed != nil {
		return nil, fmt.Errorf("topics: %w", failed)
	}
	return topics, nil
}

// eachRecord yields the records that can matter for windows that start in
// [from, to): those, and the ones that say from which generation to count.
func eachRecord(ctx context.Context, entries iter.Seq[entry], from, to int64, read func(*entry, table.Identity) (*audit.Record, error), yield func(*audit.Record) bool) error {
	n := 0
	for e := range entries {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		id, err := table.ParseIdentity(e.identity)
		if err != nil {
			return err
		}
		window := id.Kind == audit.KindWindow || id.Kind == table.KindOriginal
		if inside := window && id.Start >= from && id.Start < to; !inside && e.row.Base == 0 {
			continue
		}
		rec, err := read(&e, id)
		if err != nil {
			return err
		}
		if !yield(rec) {
			return nil
		}
	}
	return nil
}

// decode gives the record.
func (e *entry) decode(table.Identity) (*audit.Record, error) {
	r, err := audit.Decode(e.row.JSON)
	if err != nil {
		return nil, fmt.Errorf("entry %s: %w", e.identity, err)
	}
	return r, nil
}

// outline gives a record that has identity, version, base and count, and of a
// window nothing else: to decode all that is held would take seconds.
func (e *entry) outline(id table.Identity) (*audit.Record, error) {
	if id.Kind != audit.KindWindow {
		return e.decode(id)
	}
	return &audit.Record{
		Kind: audit.KindWindow, Identity: id.Identity, Version: e.row.Version, Base: e.row.Base,
		Tally: &audit.WindowTally{Tally: audit.Tally{Count: e.row.Count}, First: -1, Last: -1},
	}, nil
}

// Records is of query.Recorded. It has what Windows has.
func (s *Sources) Records(ctx context.Context, topic string, from, to int64) ([]*audit.Record, error) {
	r, err := s.replica()
	if err != nil {
		return nil, err
	}
	var failed error
	list := query.NewestRecords(topic, from, to, func(yield func(*audit.Record) bool) {
		failed = eachRecord(ctx, r.about(topic), from, to, (*entry).decode, yield)
	})
	if failed != nil {
		return nil, fmt.Errorf("records of topic %s: %w", topic, failed)
	}
	return list, nil
}
