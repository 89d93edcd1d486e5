package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse"
	"github.com/chaperone-audit/chaperone/internal/figures"
	sinkch "github.com/chaperone-audit/chaperone/sinks/clickhouse"
)

// overview is the question of a dashboard about the last day of all topics, put to the
// view completeness.
type overview struct {
	topics, windows, rounds, days int
}

func (o *overview) flags() {
	flag.IntVar(&o.topics, "topics", 1000, "topics")
	flag.IntVar(&o.windows, "windows", 144, "windows of a topic in the day")
	flag.IntVar(&o.rounds, "rounds", 21, "times that the question is put")
	flag.IntVar(&o.days, "days", 30, "days that are stored when it is put again")
}

// measure stores the day as the sink would, all topics at a time, each window when it is
// provisional and again when it is final, so that rows are there twice until parts are
// merged; and then so many days more. Each answer is checked.
func (o *overview) measure(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "judgebench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	library, err := clickhouse.Library(ctx, clickhouse.LibraryOptions{Progress: os.Stdout})
	if err != nil {
		return err
	}
	server, err := clickhouse.Start(ctx, clickhouse.Options{Dir: dir, Library: library})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop(context.WithoutCancel(ctx)) }()
	store, err := sinkch.New(ctx, sinkch.Options{DSN: server.DSN(), Database: "chaperone"})
	if err != nil {
		return err
	}
	defer store.Close()
	opts, err := driver.ParseDSN(server.DSN())
	if err != nil {
		return err
	}
	opts.Auth.Database = "chaperone"
	conn, err := driver.Open(opts)
	if err != nil {
		return err
	}
	defer conn.Close()

	begin := time.Now()
	want, written, err := o.fill(ctx, store)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	fmt.Printf("%d verdicts of %d windows written in %s, %.0f a second\n", written, o.topics*o.windows, took.Round(time.Millisecond), float64(written)/took.Seconds())
	if err := o.ask(ctx, conn, want, "overview-1000x24h", figures.AtMost(50)); err != nil {
		return err
	}
	if o.days < 2 {
		return nil
	}
	if err := o.fillDays(ctx, conn); err != nil {
		return err
	}
	return o.ask(ctx, conn, want, fmt.Sprintf("overview-1000x24h-of-%dd", o.days), figures.Aim{})
}

// day is the start of the day that is asked about: the last one of a month, so that all
// days before lie in the same partition, which is the worst case.
var day = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

const question = `
SELECT topic, count() AS windows,
	countIf(verdict = 'missing'), countIf(verdict = 'altered'), countIf(verdict = 'duplicated'),
	countIf(verdict = 'unknown'), countIf(verdict = 'late'), countIf(complete),
	min(gravity), min(ratio), sum(first_messages), sum(last_messages), max(final_at)
FROM completeness
WHERE window >= {from:DateTime('UTC')} AND window < {to:DateTime('UTC')}
GROUP BY topic
ORDER BY min(gravity), topic`

// A line is what the dashboard shows of a topic.
type line struct {
	windows                                              uint64
	missing, altered, duplicated, unknown, late, settled uint64
	gravity                                              uint8
	ratio                                                float64
	first, last                                          uint64
}

// ask puts the question again and again, and checks the answers.
func (o *overview) ask(ctx context.Context, conn driver.Conn, want map[string]*line, name string, aim figures.Aim) error {
	var times []float64
	for range o.rounds + 1 {
		begin := time.Now()
		got, err := answer(ctx, conn)
		if err != nil {
			return err
		}
		times = append(times, float64(time.Since(begin).Microseconds())/1000)
		if len(got) != len(want) {
			return fmt.Errorf("%d topics, want %d", len(got), len(want))
		}
		for topic, l := range got {
			if want[topic] == nil || l != *want[topic] {
				return fmt.Errorf("topic %s: %+v, want %+v", topic, l, want[topic])
			}
		}
	}
	var rows, parts uint64
	if err := conn.QueryRow(ctx, "SELECT sum(rows), count() FROM system.parts WHERE active AND database = 'chaperone' AND table = 'verdicts'").Scan(&rows, &parts); err != nil {
		return err
	}
	times = times[1:] // the first one opens the connection and reads the disk
	figures.PrintMedian(name, fmt.Sprintf("ms, %d rows in %d parts", rows, parts), times, aim)
	return nil
}

func answer(ctx context.Context, conn driver.Conn) (map[string]line, error) {
	rows, err := conn.Query(ctx, question, driver.Named("from", day.Unix()), driver.Named("to", day.AddDate(0, 0, 1).Unix()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	got := map[string]line{}
	for rows.Next() {
		var topic string
		var l line
		var final *time.Time
		if err := rows.Scan(&topic, &l.windows, &l.missing, &l.altered, &l.duplicated, &l.unknown, &l.late, &l.settled, &l.gravity, &l.ratio, &l.first, &l.last, &final); err != nil {
			return nil, err
		}
		got[topic] = l
	}
	return got, rows.Err()
}

// fill writes the day, and works out what the answer is.
func (o *overview) fill(ctx context.Context, store *sinkch.Sink) (want map[string]*line, written int, err error) {
	want = map[string]*line{}
	for w := range o.windows {
		var provisional, final []*compare.Verdict
		for t := range o.topics {
			v := verdict(t, w)
			before := *v
			before.State, before.Final, before.Kind, before.Version = compare.Provisional, 0, compare.Unknown, v.Version-1
			provisional, final = append(provisional, &before), append(final, v)
			if want[v.Topic] == nil {
				want[v.Topic] = &line{gravity: 6, ratio: 1}
			}
			want[v.Topic].add(v)
		}
		for _, batch := range [][]*compare.Verdict{provisional, final} {
			if err := store.WriteVerdicts(ctx, batch); err != nil {
				return nil, written, err
			}
			written += len(batch)
		}
	}
	return want, written, nil
}

func (l *line) add(v *compare.Verdict) {
	l.windows++
	switch v.Kind {
	case compare.Missing:
		l.missing++
	case compare.Altered:
		l.altered++
	case compare.Duplicated:
		l.duplicated++
	case compare.Unknown:
		l.unknown++
	case compare.Late:
		l.late++
	case compare.Complete:
		l.settled++
	}
	l.gravity, l.ratio = min(l.gravity, uint8(v.Kind.Gravity())), min(l.ratio, v.Ratio())
	l.first += v.Tiers[0].Messages
	l.last += v.Tiers[len(v.Tiers)-1].Messages
}

// verdict is that of the wth window of the tth topic: of four tiers, and in one of fifty
// something was found.
func verdict(t, w int) *compare.Verdict {
	start := day.Unix() + int64(w)*600
	v := &compare.Verdict{
		Topic: fmt.Sprintf("team-%d.orders-%d", t%40, t), Start: start, Size: 600, Pipeline: "orders", State: compare.Final, Kind: compare.Complete,
		Judged: (start + 720) * 1000, Final: (start + 720) * 1000, Version: int64(w)*1_000_000 + int64(t)*10 + 1, Digest: "0123abcd",
	}
	n := uint64(1000 + (t*7919+w*104729)%50_000)
	for i, tier := range []string{"client", "proxy", "regional", "aggregate"} {
		v.Tiers = append(v.Tiers, compare.Count{Tier: tier, Messages: n, Bytes: n * 200, Sources: 4 + 8*i, Counted: true, Fingerprint: fmt.Sprint(n * 0x9e3779b97f4a7c15),
			Latency: &compare.Percentiles{Count: n, P50: 12.5, P95: 80.25, P99: 310.75, Max: int64(1000 + t)}})
	}
	if some := (t*31 + w) % 50; some == 0 {
		f := compare.Finding{Kind: compare.Kinds()[(t+w)%5], From: "regional", To: "aggregate", Messages: uint64(1 + t%9)}
		if f.Kind == compare.Unknown {
			f = compare.Finding{Kind: compare.Unknown, Reason: compare.Uncounted, To: "aggregate", Bound: compare.Unbounded}
		}
		v.Findings = []compare.Finding{f}
		v.Kind = compare.Gravest(v.Findings)
	}
	return v
}

// fillDays copies the day to those before it.
func (o *overview) fillDays(ctx context.Context, conn driver.Conn) error {
	for d := 1; d < o.days; d++ {
		if err := conn.Exec(ctx, fmt.Sprintf(`
INSERT INTO verdicts SELECT * REPLACE (window - %d AS window, window_start - %d AS window_start) FROM verdicts FINAL WHERE verdicts.window >= toDateTime(%d, 'UTC')`, d*86400, d*86400, day.Unix())); err != nil {
			return fmt.Errorf("copy day %d: %w", d, err)
		}
	}
	return nil
}
