package clickhouse_test

import (
	"context"
	"strings"
	"testing"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse/clickhousetest"
	"github.com/chaperone-audit/chaperone/sinks"
	"github.com/chaperone-audit/chaperone/sinks/clickhouse"
	"github.com/chaperone-audit/chaperone/sinks/sinktest"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// admin is a connection of its own to the server.
func admin(tb testing.TB) driver.Conn {
	tb.Helper()
	opts, err := driver.ParseDSN(clickhousetest.MustDSN(tb))
	must(tb, err)
	conn, err := driver.Open(opts)
	must(tb, err)
	tb.Cleanup(func() { _ = conn.Close() })
	return conn
}

// freshName names a database that does not exist yet and is dropped with the test.
func freshName(tb testing.TB) string {
	tb.Helper()
	name := "t'`" + strings.ReplaceAll(uuid.NewString(), "-", "") // so every test proves the quoting
	conn := admin(tb)
	tb.Cleanup(func() {
		if err := conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+quoted(name)+" SYNC"); err != nil {
			tb.Error(err)
		}
	})
	return name
}

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "\\`") + "`" }

func open(tb testing.TB, opts clickhouse.Options) *clickhouse.Sink {
	tb.Helper()
	if opts.DSN == "" {
		opts.DSN = clickhousetest.MustDSN(tb)
	}
	s, err := clickhouse.New(context.Background(), opts)
	must(tb, err)
	return s
}

func TestSink(t *testing.T) {
	sinktest.Run(t, func(tb testing.TB) sinks.Sink { return open(tb, clickhouse.Options{Database: freshName(tb)}) })
}

// A disk that fills up in the middle of an insert leaves a table that nobody can read.
func TestInsertsAskForRoomToSpare(t *testing.T) {
	s := open(t, clickhouse.Options{Database: freshName(t)})
	if !s.Spares() {
		t.Error("this ClickHouse is not asked for room, though it knows the setting")
	}
}
