package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/sinks"
)

// Write implements sinks.Sink. Window records go into one table and all others
// into another, each by one INSERT, which ClickHouse takes whole up to about a
// million rows. Rejected are batches that ClickHouse says it cannot read or
// convert; whatever else goes wrong is worth another try.
func (s *Sink) Write(ctx context.Context, batch []*audit.Record) error {
	var records, events []*audit.Record
	for _, r := range batch {
		switch {
		case r.Kind != audit.KindWindow:
			events = append(events, r)
		case r.Tally == nil:
			return fmt.Errorf("clickhouse: write the record %s: it is of a window and says nothing of it: %w", r.Key(), sinks.ErrRejected)
		default:
			records = append(records, r)
		}
	}
	conn, err := s.ready(ctx)
	if err != nil {
		return err
	}
	if err := insert(ctx, s, conn, recordTable, records); err != nil {
		return err
	}
	return insert(ctx, s, conn, eventTable, events)
}

// A table is where rows of one kind go.
type table[T any] struct {
	name    string
	columns []column[T]
	row     func(T) string // names one in an error
}

var (
	recordTable = table[*audit.Record]{"audit_records", recordColumns, sayRecord}
	eventTable  = table[*audit.Record]{"audit_events", eventColumns, sayRecord}
)

func sayRecord(r *audit.Record) string { return "the record " + r.Key() }

// A disk that fills up in the middle of an insert can leave a part with which nothing
// of the table can be read any more (26.7: "Empty marks file"). Before that, inserts
// are refused, and come again: with less than spareDisk bytes free, which is far more
// than a batch takes.
const (
	spareSetting = "min_free_disk_bytes_to_perform_insert"
	spareDisk    = 64 << 20
)

func insert[T any](ctx context.Context, s *Sink, conn driver.Conn, t table[T], rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	// Hostile event times spread a batch over more months than the default allows.
	settings := driver.Settings{"max_partitions_per_insert_block": 0}
	if s.spares {
		settings[spareSetting] = spareDisk
	}
	ctx = driver.Context(ctx, driver.WithColumnNamesAndTypes(namesAndTypes(t.columns)), driver.WithSettings(settings))
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = quoteName(c.name)
	}
	b, err := conn.PrepareBatch(ctx, "INSERT INTO "+t.name+" ("+strings.Join(names, ", ")+")")
	if err != nil {
		return s.fail("insert into "+t.name, rejected(err))
	}
	defer b.Close()
	values := make([]any, len(t.columns))
	for _, r := range rows {
		for i, c := range t.columns {
			values[i] = c.value(r)
		}
		if err := b.Append(values...); err != nil {
			return s.fail("insert into "+t.name, notOurs(ctx, fmt.Errorf("%s: %w", t.row(r), err)))
		}
	}
	if err := b.Send(); err != nil {
		return s.fail(fmt.Sprintf("insert %d rows into %s", len(rows), t.name), rejected(err))
	}
	return nil
}

// notOurs marks what the client could not write into a column: the next try
// would do no better. A connection that ended meanwhile is another matter.
func notOurs(ctx context.Context, err error) error {
	if ctx.Err() != nil || errors.Is(err, driver.ErrBatchAlreadySent) {
		return err
	}
	return fmt.Errorf("%w: %w", sinks.ErrRejected, err)
}
