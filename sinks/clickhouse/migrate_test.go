package clickhouse_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse/clickhousetest"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks/clickhouse"
)

func record(topic string, start int64, version int64, count uint64) *audit.Record {
	r := &audit.Record{
		Kind:     audit.KindWindow,
		Identity: audit.Identity{Tier: "regional", Datacenter: "dc1", Cluster: "east", Topic: topic, Window: audit.Window{Start: start, Size: 600}},
		Version:  version, Tally: &audit.WindowTally{Last: version},
	}
	for i := range count {
		r.Tally.Add(&audit.Event{Bytes: 10, Hash: i, Latency: int64(i * i)})
	}
	return r
}

// text runs a query with one string as its answer.
func text(tb testing.TB, sql string, args ...any) (s string) {
	tb.Helper()
	must(tb, admin(tb).QueryRow(context.Background(), sql, args...).Scan(&s))
	return s
}

func applied(tb testing.TB, database string) string {
	tb.Helper()
	return text(tb, "SELECT toString(groupArray((version, name))) FROM (SELECT version, name FROM "+quoted(database)+".schema_migrations FINAL ORDER BY version)")
}

const allMigrations = "[(1,'0001_audit'),(2,'0002_client_uncounted'),(3,'0003_high_watermark'),(4,'0004_physical_topic'),(5,'0005_moment_sums'),(6,'0006_arrival'),(7,'0007_verdicts'),(8,'0008_alerts')]"

func TestMigrations(t *testing.T) {
	t.Run("a fresh database gets the schema, and the next start keeps the rows", func(t *testing.T) {
		name := freshName(t)
		s := open(t, clickhouse.Options{Database: name})
		must(t, s.Write(t.Context(), []*audit.Record{record("orders", 600, 9, 3)}))
		must(t, s.Close())
		s = open(t, clickhouse.Options{Database: name})
		defer s.Close()
		rows, err := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1 << 40})
		if err != nil || len(rows) != 1 || rows[0].Count != 3 {
			t.Errorf("got %+v, %v", rows, err)
		}
		if got := applied(t, name); got != allMigrations {
			t.Errorf("applied %s", got)
		}
	})
	t.Run("several instances may start at once", func(t *testing.T) {
		name := freshName(t)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				s, err := clickhouse.New(t.Context(), clickhouse.Options{DSN: clickhousetest.MustDSN(t), Database: name, TTL: 1000 * time.Hour})
				if err != nil {
					t.Error(err)
					return
				}
				defer s.Close()
				if err := s.Write(t.Context(), []*audit.Record{record("orders", time.Now().Unix()/600*600, int64(i), 3)}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := applied(t, name); got != allMigrations {
			t.Errorf("applied %s", got)
		}
	})
	t.Run("half of a step done before is no obstacle", func(t *testing.T) {
		name := freshName(t)
		must(t, open(t, clickhouse.Options{Database: name}).Close())
		must(t, admin(t).Exec(t.Context(), "DROP VIEW "+quoted(name)+".latency"))
		must(t, admin(t).Exec(t.Context(), "TRUNCATE TABLE "+quoted(name)+".schema_migrations"))
		must(t, open(t, clickhouse.Options{Database: name}).Close())
		text(t, "SELECT toString(count()) FROM "+quoted(name)+".latency")
	})
	t.Run("a database of the first step gets the others, and keeps its rows", func(t *testing.T) {
		name := freshName(t)
		must(t, clickhouse.MigrateTo(t.Context(), clickhousetest.MustDSN(t), name, 1))
		if got := applied(t, name); got != "[(1,'0001_audit')]" {
			t.Fatalf("applied %s", got)
		}
		must(t, admin(t).Exec(t.Context(), "INSERT INTO "+quoted(name)+".audit_records (topic, window_size, client_records) VALUES ('old', 600, 3)"))
		must(t, admin(t).Exec(t.Context(), "INSERT INTO "+quoted(name)+".audit_events (kind, topic, sources.partition, sources.generation, sources.base, "+
			"sources.segment, sources.start, sources.next, sources.total, sources.time, sources.log_start, sources.end, sources.caught_up) "+
			"VALUES ('progress', 'old', [1, 2], [0, 0], [0, 0], [0, 0], [0, 0], [5, 6], [5, 6], [0, 0], [-1, -1], [5, 6], ['yes', 'yes'])"))
		s := open(t, clickhouse.Options{Database: name})
		defer s.Close()
		r := record("new", 600, 1, 1)
		r.Client = &audit.ClientCount{Records: 4, Uncounted: 5, Every: 6000}
		must(t, s.Write(t.Context(), []*audit.Record{r}))
		got := text(t, "SELECT toString(groupArray((topic, client_records, client_uncounted, client_every))) FROM (SELECT * FROM "+quoted(name)+".audit ORDER BY topic)")
		if want := "[('new',4,5,6000),('old',3,0,0)]"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := text(t, "SELECT toString((sources.end, sources.high_watermark)) FROM "+quoted(name)+".audit_events FINAL"); got != "([5,6],[-1,-1])" {
			t.Errorf("progress of before ends at %s", got)
		}
		more := record("old", 0, 1, 3) // beside the row of before there were moments
		more.Tier, more.Partition = "", 1
		must(t, s.Write(t.Context(), []*audit.Record{more}))
		rows, err := s.Windows(t.Context(), query.Windows{Topic: "old", To: 1})
		if err != nil || len(rows) != 1 || rows[0].Count != 3 || rows[0].Moments != more.Tally.Moments || rows[0].Moments == (audit.PowerSums{}) {
			t.Errorf("got %+v, %v", rows, err)
		}
		if got := applied(t, name); got != allMigrations {
			t.Errorf("applied %s", got)
		}
	})
	t.Run("what an instance says of itself is kept", func(t *testing.T) {
		name := freshName(t)
		s := open(t, clickhouse.Options{Database: name})
		defer s.Close()
		goodbye := record("orders", 0, 1, 0)
		goodbye.Kind, goodbye.Window, goodbye.Tally, goodbye.Partition, goodbye.Instance = audit.KindGoodbye, audit.Window{}, nil, audit.NoPartition, "app-1"
		goodbye.Client = &audit.ClientCount{Attempts: 1, Successes: 2, Failures: 3, Started: 4, Records: 5, Uncounted: 6, Every: 7}
		must(t, s.Write(t.Context(), []*audit.Record{goodbye}))
		got := text(t, "SELECT toString((attempts, successes, failures, client_started, client_records, client_uncounted, client_every)) FROM "+quoted(name)+".audit_events FINAL")
		if want := "(1,2,3,4,5,6,7)"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("a database from a newer version is refused", func(t *testing.T) {
		name := freshName(t)
		must(t, open(t, clickhouse.Options{Database: name}).Close())
		must(t, admin(t).Exec(t.Context(), "INSERT INTO "+quoted(name)+".schema_migrations (version, name) VALUES (99, '0099_wonders')"))
		_, err := clickhouse.New(t.Context(), clickhouse.Options{DSN: clickhousetest.MustDSN(t), Database: name})
		if err == nil || !strings.Contains(err.Error(), "0099_wonders") || !strings.Contains(err.Error(), "newer chaperone") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("every column has the type that is written", func(t *testing.T) {
		name := freshName(t)
		must(t, open(t, clickhouse.Options{Database: name}).Close())
		for table, columns := range clickhouse.Columns() {
			rows, err := admin(t).Query(t.Context(), "SELECT name, type FROM system.columns WHERE database = {d:String} AND table = {t:String} AND name != 'written_at'",
				driver.Named("d", name), driver.Named("t", table))
			must(t, err)
			there := map[string]string{}
			for rows.Next() {
				var column, kind string
				must(t, rows.Scan(&column, &kind))
				there[column] = kind
			}
			must(t, rows.Err())
			if fmt.Sprint(there) != fmt.Sprint(columns) {
				t.Errorf("%s has\n%v\nand gets\n%v", table, there, columns)
			}
		}
	})
}

func TestTimeToLive(t *testing.T) {
	name := freshName(t)
	engine := func(table string) string {
		return text(t, "SELECT engine_full FROM system.tables WHERE database = {d:String} AND name = {t:String}", driver.Named("d", name), driver.Named("t", table))
	}
	now := time.Now().Unix() / 600 * 600
	held := func(s *clickhouse.Sink) (n int) {
		rows, err := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1 << 40})
		must(t, err)
		return len(rows)
	}
	batch := []*audit.Record{record("orders", now, 1, 1), record("orders", now-3*86400, 1, 1)}

	s := open(t, clickhouse.Options{Database: name})
	must(t, s.Write(t.Context(), batch))
	if n := held(s); n != 2 || strings.Contains(engine("audit_records"), "TTL") {
		t.Errorf("without one: %d windows, %s", n, engine("audit_records"))
	}
	must(t, s.Close())

	s = open(t, clickhouse.Options{Database: name, TTL: 2 * 24 * time.Hour})
	for _, table := range []string{"audit_records", "audit_events"} {
		if e := engine(table); !strings.Contains(e, "+ toIntervalSecond(172800)") {
			t.Errorf("two days: %s", e)
		}
	}
	must(t, admin(t).Exec(t.Context(), "OPTIMIZE TABLE "+quoted(name)+".audit_records FINAL"))
	if n := held(s); n != 1 {
		t.Errorf("two days: %d windows", n)
	}
	must(t, s.Write(t.Context(), batch))
	must(t, admin(t).Exec(t.Context(), "OPTIMIZE TABLE "+quoted(name)+".audit_records FINAL")) // at INSERT or at the next merge
	if n := held(s); n != 1 {
		t.Errorf("what is too old already was kept: %d windows", n)
	}
	must(t, s.Close())

	s = open(t, clickhouse.Options{Database: name})
	defer s.Close()
	must(t, s.Write(t.Context(), batch))
	if n := held(s); n != 2 || strings.Contains(engine("audit_records"), "TTL") {
		t.Errorf("without one again: %d windows, %s", n, engine("audit_records"))
	}
}
