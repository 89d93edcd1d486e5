package clickhouse

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// The schema, in steps: NNNN_name.sql. A step that has been released is never
// changed; the next change is a new file. ClickHouse has no transactions around
// DDL, so every statement must be harmless when it has run before, at the same
// time in another instance too.
//
//go:embed migrations/*.sql
var migrationFiles embed.FS

// A migration is one step.
type migration struct {
	version    uint32
	name       string
	statements []string
}

// migrations are all steps in order.
var migrations = mustReadMigrations(migrationFiles)

func mustReadMigrations(files fs.FS) (list []migration) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		panic(err)
	}
	for _, file := range names {
		text, err := fs.ReadFile(files, file)
		if err != nil {
			panic(err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "migrations/"), ".sql")
		number, _, _ := strings.Cut(name, "_")
		version, err := strconv.ParseUint(number, 10, 32)
		if err != nil || int(version) != len(list)+1 {
			panic("migration " + file + " does not follow the one before it")
		}
		list = append(list, migration{uint32(version), name, statements(string(text))})
	}
	return list
}

// statements cuts a file at the semicolons that end a line.
func statements(text string) (list []string) {
	for part := range strings.SplitSeq(text+"\n", ";\n") {
		lines := slices.DeleteFunc(strings.Split(part, "\n"), func(line string) bool { return strings.HasPrefix(line, "--") })
		if st := strings.TrimSpace(strings.Join(lines, "\n")); st != "" {
			list = append(list, st)
		}
	}
	return list
}

// errNewerSchema says that the database belongs to a newer chaperone.
var errNewerSchema = errors.New("the database has been migrated by a newer chaperone; run that one, or give this one another database")

// createDatabase asks first, because a user who may not create one may still be
// given one.
func createDatabase(ctx context.Context, conn driver.Conn, database string) error {
	var there uint64
	if err := conn.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = {name:String}", driver.Named("name", database)).Scan(&there); err != nil {
		return err
	}
	if there > 0 {
		return nil
	}
	return conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quoteName(database))
}

// setUp brings the tables to the newest schema and the wanted time to live.
func setUp(ctx context.Context, conn driver.Conn, database string, ttl time.Duration) error {
	if err := migrate(ctx, conn, migrations); err != nil {
		return err
	}
	for _, t := range []struct{ table, since string }{
		{"audit_records", "window"}, {"audit_events", "toDateTime(written_at)"}, {"verdicts", "window"}, {"alert_events", "toDateTime(written_at)"},
	} {
		if err := setTTL(ctx, conn, database, t.table, t.since, ttl); err != nil {
			return fmt.Errorf("set the time to live of %s: %w", t.table, err)
		}
	}
	return nil
}

const migrationsTable = `CREATE TABLE IF NOT EXISTS schema_migrations
(
	version    UInt32,
	name       String,
	applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree ORDER BY version
COMMENT 'Steps of the schema that have been applied.'`

// migrate applies the steps that have not been applied.
func migrate(ctx context.Context, conn driver.Conn, steps []migration) error {
	if err := conn.Exec(ctx, migrationsTable); err != nil {
		return err
	}
	var applied []struct {
		Version uint32 `ch:"version"`
		Name    string `ch:"name"`
	}
	if err := conn.Select(ctx, &applied, "SELECT DISTINCT version, name FROM schema_migrations"); err != nil {
		return err
	}
	done := map[uint32]bool{}
	for _, a := range applied {
		if int(a.Version) > len(steps) {
			return fmt.Errorf("it has step %d (%s) and this version knows %d: %w", a.Version, a.Name, len(steps), errNewerSchema)
		}
		done[a.Version] = true
	}
	for _, m := range steps {
		if done[m.version] {
			continue
		}
		for _, st := range m.statements {
			if err := conn.Exec(ctx, st); err != nil {
				return fmt.Errorf("apply %s: %w", m.name, err)
			}
		}
		if err := conn.Exec(ctx, "INSERT INTO schema_migrations (version, name) VALUES (?, ?)", m.version, m.name); err != nil {
			return fmt.Errorf("note that %s has been applied: %w", m.name, err)
		}
	}
	return nil
}

var ttlPattern = regexp.MustCompile(` TTL (.*?)(?: SETTINGS |$)`)

// setTTL changes a table's time to live if it is another. ClickHouse applies a
// new one to old rows in the background.
func setTTL(ctx context.Context, conn driver.Conn, database, table, since string, ttl time.Duration) error {
	want := ""
	if ttl > 0 {
		want = fmt.Sprintf("%s + toIntervalSecond(%d)", since, int64(ttl/time.Second))
	}
	var engine string
	if err := conn.QueryRow(ctx, "SELECT engine_full FROM system.tables WHERE database = {database:String} AND name = {table:String}",
		driver.Named("database", database), driver.Named("table", table)).Scan(&engine); err != nil {
		return err
	}
	is := ""
	if m := ttlPattern.FindStringSubmatch(engine); m != nil {
		is = m[1]
	}
	switch want {
	case is:
		return nil
	case "":
		err := conn.Exec(ctx, "ALTER TABLE "+table+" REMOVE TTL")
		if code(err) == codeBadArguments { // another instance was quicker
			return nil
		}
		return err
	}
	return conn.Exec(ctx, "ALTER TABLE "+table+" MODIFY TTL "+want)
}

// quoteName writes a name into SQL.
func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}

// code is ClickHouse's number of an error, 0 if it is none of ClickHouse's.
func code(err error) int32 {
	var e *driver.Exception
	if errors.As(err, &e) {
		return cmp.Or(e.Code, -1)
	}
	return 0
}
