package clickhouse

import (
	"context"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// MigrateTo makes a database as a version that knew so many steps left it.
func MigrateTo(ctx context.Context, dsn, database string, steps int) error {
	opts, err := driver.ParseDSN(dsn)
	if err != nil {
		return err
	}
	admin, err := driver.Open(opts)
	if err != nil {
		return err
	}
	defer admin.Close()
	if err := createDatabase(ctx, admin, database); err != nil {
		return err
	}
	opts.Auth.Database = database
	conn, err := driver.Open(opts)
	if err != nil {
		return err
	}
	defer conn.Close()
	return migrate(ctx, conn, migrations[:steps])
}

// Columns are the names and types that Write fills, per table.
func Columns() map[string]map[string]string {
	all := map[string]map[string]string{}
	fill(all, recordTable)
	fill(all, eventTable)
	fill(all, verdictTable)
	fill(all, alertTable)
	return all
}

func fill[T any](all map[string]map[string]string, t table[T]) {
	all[t.name] = map[string]string{}
	for _, c := range t.columns {
		all[t.name][c.name] = c.kind
	}
}

// Spares says whether inserts ask for room to spare on ClickHouse's disk.
func (s *Sink) Spares() bool { return s.spares }
