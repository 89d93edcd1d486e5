package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse/clickhousetest"
)

// open connects clickhouse-go to the shared engine, in a database of its own.
func open(t *testing.T, compression driver.CompressionMethod) driver.Conn {
	t.Helper()
	opts, err := driver.ParseDSN(clickhousetest.MustServer(t).DSN())
	if err != nil {
		t.Fatal(err)
	}
	opts.Compression = &driver.Compression{Method: compression}
	admin, err := driver.Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	database := "t_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	if err := admin.Exec(t.Context(), "CREATE DATABASE "+database); err != nil {
		t.Fatal(err)
	}
	own := *opts
	own.Auth.Database = database
	conn, err := driver.Open(&own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Exec(context.Background(), "DROP DATABASE "+database+" SYNC"); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
		_ = admin.Close()
	})
	return conn
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, conn driver.Conn, sql string, args ...any) (n uint64) {
	t.Helper()
	must(t, conn.QueryRow(t.Context(), sql, args...).Scan(&n))
	return n
}

type everything struct {
	Topic string            `ch:"topic"`
	At    time.Time         `ch:"at"`
	Bins  map[int16]uint64  `ch:"bins"`
	Tags  map[string]string `ch:"tags"`
	Sums  []uint64          `ch:"sums"`
	ID    uuid.UUID         `ch:"id"`
	Maybe *float64          `ch:"maybe"`
	Hash  uint64            `ch:"hash"`
	Start int64             `ch:"start"`
}

const everythingTable = `CREATE TABLE everything (
	topic LowCardinality(String), at DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)), bins Map(Int16, UInt64), tags Map(LowCardinality(String), String),
	sums Array(UInt64), id UUID, maybe Nullable(Float64), hash UInt64, start Int64
) ENGINE = ReplacingMergeTree(start) PARTITION BY toYYYYMM(at) ORDER BY (topic, id) TTL toDateTime(at) + INTERVAL 50 YEAR` // a DateTime ends in 2106: beyond, rows would be expired

func TestTypesSurviveTheWayThere(t *testing.T) {
	for _, c := range []driver.CompressionMethod{driver.CompressionNone, driver.CompressionLZ4, driver.CompressionZSTD} {
		t.Run("with compression "+c.String(), func(t *testing.T) {
			conn := open(t, c)
			must(t, conn.Exec(t.Context(), everythingTable))
			half := 0.5
			var want []everything
			for i := range 300 {
				e := everything{
					Topic: fmt.Sprintf("topic ☃ '%d", i%3), At: time.UnixMilli(1795285200123 + int64(i)).UTC(), Bins: map[int16]uint64{-1: 1, 1200: 1 << 63},
					Tags: map[string]string{"dc": "x\x00\n"}, Sums: []uint64{1<<64 - 1, uint64(i)}, ID: uuid.New(), Hash: 1<<64 - 1, Start: -int64(i),
				}
				if i%2 == 0 {
					e.Maybe = &half
				}
				want = append(want, e)
			}
			b, err := conn.PrepareBatch(t.Context(), "INSERT INTO everything")
			must(t, err)
			for i := range want {
				must(t, b.AppendStruct(&want[i]))
			}
			must(t, b.Send())
			var got []everything
			must(t, conn.Select(t.Context(), &got, "SELECT * FROM everything FINAL ORDER BY start DESC"))
			for i := range got {
				got[i].At = got[i].At.UTC()
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got[:min(2, len(got))], want[:2])
			}
		})
	}
}

func TestParameters(t *testing.T) {
	conn := open(t, driver.CompressionNone)
	t.Run("any string arrives", func(t *testing.T) {
		var got string
		in := "a'b\\c\nd\te☃\x00z`"
		must(t, conn.QueryRow(t.Context(), "SELECT {s:String}", driver.Named("s", in)).Scan(&got))
		if got != in {
			t.Errorf("got %q", got)
		}
	})
	t.Run("arrays and numbers arrive", func(t *testing.T) {
		got := number(t, conn, "SELECT arraySum({a:Array(UInt64)}) + {n:UInt64}", driver.Named("a", []uint64{1, 2}), driver.Named("n", uint64(1<<62)))
		if got != 3+1<<62 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("positional ones arrive", func(t *testing.T) {
		got := number(t, conn, "SELECT toUInt64(? IN (?))", "x'; DROP", []string{"x'; DROP", "y"})
		if got != 1 {
			t.Errorf("got %d", got)
		}
	})
	t.Run("settings reach the engine", func(t *testing.T) {
		ctx := driver.Context(t.Context(), driver.WithSettings(driver.Settings{"max_result_rows": 7}))
		var got uint64
		must(t, conn.QueryRow(ctx, "SELECT toUInt64(getSetting('max_result_rows'))").Scan(&got))
		if got != 7 {
			t.Errorf("got %d", got)
		}
	})
}

func TestErrorsHaveTheirCodes(t *testing.T) {
	conn := open(t, driver.CompressionNone)
	must(t, conn.Exec(t.Context(), "CREATE TABLE small (a UInt8, CONSTRAINT below10 CHECK a < 10) ENGINE = MergeTree ORDER BY a"))
	query := func(sql string, settings driver.Settings) error {
		rows, err := conn.Query(driver.Context(t.Context(), driver.WithSettings(settings)), sql)
		if err != nil {
			return err
		}
		for rows.Next() {
		}
		return rows.Err()
	}
	for _, c := range []struct {
		outcome string
		code    int32
		do      func() error
	}{
		{"unknown table", 60, func() error { return conn.Exec(t.Context(), "SELECT * FROM nothing") }},
		{"syntax", 62, func() error { return query("SELEC 1", nil) }},
		{"two statements", 62, func() error { return query("SELECT 1; SELECT 2", nil) }},
		{"unknown setting", 115, func() error { return query("SELECT 1", driver.Settings{"no_such": 1}) }},
		{"too long", 159, func() error {
			return query("SELECT count() FROM numbers(100000000000) WHERE sipHash64(number) = 1", driver.Settings{"max_execution_time": 1})
		}},
		{"in the middle of a result", 395, func() error {
			return query("SELECT throwIf(number = 2000000, 'boom'), number FROM numbers(3000000) SETTINGS max_block_size = 65536", nil)
		}},
		{"a row that a constraint refuses", 469, func() error {
			b, err := conn.PrepareBatch(t.Context(), "INSERT INTO small (a)")
			if err != nil {
				return err
			}
			if err := b.Append(uint8(50)); err != nil {
				return err
			}
			return b.Send()
		}},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			var got *driver.Exception
			if err := c.do(); !errors.As(err, &got) || got.Code != c.code {
				t.Errorf("got %v, want code %d", err, c.code)
			}
		})
	}
	if n := number(t, conn, "SELECT count() FROM small"); n != 0 {
		t.Errorf("%d rows were written", n)
	}
}

func TestACancelledStatementEndsInTheEngine(t *testing.T) {
	conn := open(t, driver.CompressionNone)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		var n uint64
		ended <- conn.QueryRow(ctx, "SELECT count() FROM numbers(2000000000000) WHERE sipHash64(number, 'cancel me') = 1").Scan(&n)
	}()
	running := func() uint64 {
		return number(t, conn, "SELECT count() FROM system.processes WHERE query LIKE '%cancel me%' AND query NOT LIKE '%system.processes%'")
	}
	for running() == 0 {
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for running() > 0 {
	}
}

func TestSessionsKeepTemporaryTables(t *testing.T) {
	conn := open(t, driver.CompressionNone)
	in := driver.Context(t.Context(), driver.WithSettings(driver.Settings{"session_id": uuid.NewString()}))
	must(t, conn.Exec(in, "CREATE TEMPORARY TABLE mine (a Int32)"))
	must(t, conn.Exec(in, "INSERT INTO mine VALUES (1), (2)"))
	var n uint64
	must(t, conn.QueryRow(in, "SELECT count() FROM mine").Scan(&n))
	if n != 2 {
		t.Errorf("%d rows", n)
	}
	if err := conn.QueryRow(t.Context(), "SELECT count() FROM mine").Scan(&n); err == nil {
		t.Error("another session sees the table")
	}
}

func TestALongResultArrivesWhole(t *testing.T) {
	conn := open(t, driver.CompressionLZ4)
	rows, err := conn.Query(t.Context(), "SELECT number, toString(number) FROM numbers(500000)")
	must(t, err)
	var n, sum uint64
	for rows.Next() {
		var x uint64
		var s string
		must(t, rows.Scan(&x, &s))
		n, sum = n+1, sum+x
	}
	must(t, rows.Err())
	if n != 500000 || sum != 500000*499999/2 {
		t.Errorf("%d rows, sum %d", n, sum)
	}
}

func TestDatabaseSQL(t *testing.T) {
	opts, err := driver.ParseDSN(clickhousetest.MustServer(t).DSN())
	must(t, err)
	db := driver.OpenDB(opts)
	defer db.Close()
	var s string
	must(t, db.QueryRowContext(t.Context(), "SELECT concat(?, currentDatabase())", "in ").Scan(&s))
	if s != "in default" {
		t.Errorf("got %q", s)
	}
}
