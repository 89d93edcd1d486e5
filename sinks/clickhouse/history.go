package clickhouse

import (
	"context"
	"math"
	"slices"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// span is the condition on the start of windows: exact, and on the column that
// partitions and the index know.
const span = `window_start >= {from:Int64} AND window_start < {to:Int64} AND window >= toDateTime({first:UInt32}, 'UTC') AND window <= toDateTime({last:UInt32}, 'UTC')`

func spanned(from, to int64) []any {
	last := to
	if last > math.MinInt64 {
		last--
	}
	return []any{
		driver.Named("from", from), driver.Named("to", to),
		driver.Named("first", clampWindow(from).Unix()), driver.Named("last", clampWindow(last).Unix()),
	}
}

// Windows implements query.Source. It says in SQL what query.Group says in Go.
func (s *Sink) Windows(ctx context.Context, q query.Windows) ([]query.Row, error) {
	sql, args := windowsSQL(q)
	var rows []query.Row
	err := s.query(ctx, "query windows", sql, args, func(scan func(...any) error) error {
		row := query.Row{Topic: q.Topic}
		var partition int32
		var sums, moments []uint64
		var bins, arrivals map[int16]uint64
		var sources, originals uint64
		t, a := &row.Tally, &row.Arrival
		if err := scan(&row.Start, &row.Size, &row.Tier, &row.Datacenter, &row.Cluster, &partition,
			&t.Count, &t.Bytes, &t.NoTime, &t.Malformed, &t.OutOfBounds,
			&bins, &t.Latency.Sum, &t.Latency.Max, &t.Latency.Negative, &t.Latency.NegativeMax, &t.Fingerprint, &sums, &moments,
			&arrivals, &a.Sum, &a.Max, &a.Negative, &a.NegativeMax,
			&row.First, &row.Last, &row.Partial, &sources, &originals); err != nil {
			return err
		}
		for bin, n := range bins {
			t.Latency.Bins.Put(bin, n)
		}
		for bin, n := range arrivals {
			a.Bins.Put(bin, n)
		}
		copy(t.PowerSums[:], sums)
		copy(t.Moments[:], moments) // none in rows of before there were any
		row.Sources, row.Originals = int(sources), int(originals)
		if slices.Contains(q.By, query.ByPartition) && partition != audit.NoPartition {
			row.Partition = &partition
		} else {
			row.First, row.Last = -1, -1
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}

// windowsSQL is the question in SQL.
func windowsSQL(q query.Windows) (string, []any) {
	where := []string{"topic = {topic:String}", span}
	args := append(spanned(q.From, q.To), driver.Named("topic", q.Topic))
	for _, filter := range []struct{ column, value string }{{"tier", q.Tier}, {"datacenter", q.Datacenter}, {"cluster", q.Cluster}} {
		if filter.value != "" {
			where = append(where, filter.column+" = {"+filter.column+":String}")
			args = append(args, driver.Named(filter.column, filter.value))
		}
	}
	if q.Partition != nil {
		where = append(where, "partition = {partition:Int32}")
		args = append(args, driver.Named("partition", *q.Partition))
	}
	by := func(d query.Dimension, column, otherwise string) string {
		if slices.Contains(q.By, d) || d == query.ByCluster && slices.Contains(q.By, query.ByPartition) {
			return column
		}
		return otherwise
	}
	key := []string{
		"window_start", "window_size", "tier", by(query.ByDatacenter, "datacenter", "''"), by(query.ByCluster, "cluster", "''"),
		by(query.ByPartition, "partition", "toInt32(-1)"),
	}
	group := slices.DeleteFunc(slices.Clone(key), func(k string) bool { return k == "''" || k == "toInt32(-1)" })
	return "SELECT " + strings.Join(key, ", ") + `,
	sum(messages), sum(bytes), sum(no_time), sum(malformed), sum(out_of_bounds),
	sumMap(latency_bins), sum(latency_sum), max(latency_max), sum(negative_latencies), max(negative_latency_max),
	sum(fingerprint),
	arrayMap(s -> toUInt64(s % 2305843009213693951), sumForEach(arrayMap(s -> toUInt128(s), power_sums))),
	arrayMap(s -> toUInt64(s % 2305843009213693951), sumForEach(arrayMap(s -> toUInt128(s), moment_sums))),
	sumMap(arrival_bins), sum(arrival_sum), max(arrival_max), sum(negative_arrivals), max(negative_arrival_max),
	if(countIf(first_offset >= 0) = 0, -1, minIf(first_offset, first_offset >= 0)), max(last_offset), max(partial),
	uniqExactIf((datacenter, cluster, topic_id, partition, instance), original = ''), countIf(original != '')
FROM audit
WHERE ` + strings.Join(where, " AND ") + `
GROUP BY ` + strings.Join(group, ", ") + `
ORDER BY ` + strings.Join(group, ", "), args
}

// Topics implements query.Source.
func (s *Sink) Topics(ctx context.Context, from, to int64) ([]query.Topic, error) {
	var topics []query.Topic
	err := s.query(ctx, "query topics", `
SELECT topic, arraySort(groupUniqArray(tier)), arraySort(groupUniqArrayIf(cluster, cluster != '')), min(window_start), max(window_start), sum(messages)
FROM audit
WHERE `+span+`
GROUP BY topic
ORDER BY topic`, spanned(from, to), func(scan func(...any) error) error {
		var t query.Topic
		if err := scan(&t.Name, &t.Tiers, &t.Clusters, &t.First, &t.Last, &t.Messages); err != nil {
			return err
		}
		topics = append(topics, t)
		return nil
	})
	return topics, err
}

// query runs a statement and hands each row to scan into.
func (s *Sink) query(ctx context.Context, operation, sql string, args []any, each func(scan func(...any) error) error) error {
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	fail := func(err error) error { return s.fail(operation, unavailable(caller, err)) }
	conn, err := s.ready(ctx)
	if err != nil {
		return unavailable(caller, err)
	}
	// An identity lies in one partition, so partitions need not be merged with each other.
	ctx = driver.Context(ctx, driver.WithSettings(driver.Settings{"do_not_merge_across_partitions_select_final": 1}))
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return fail(err)
		}
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return nil
}
