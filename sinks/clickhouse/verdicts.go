package clickhouse

import (
	"context"
	"fmt"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// A saidVerdict is a verdict with its JSON: the columns are for SQL, and that is what is
// read back.
type saidVerdict struct {
	*compare.Verdict
	json []byte
}

var verdictTable = table[saidVerdict]{"verdicts", verdictColumns, func(v saidVerdict) string { return "the verdict " + v.Key() }}

// verdictColumns are those of verdicts.
var verdictColumns = []column[saidVerdict]{
	{"topic", lowCardinality, func(v saidVerdict) any { return v.Topic }},
	{"window", "DateTime('UTC')", func(v saidVerdict) any { return clampWindow(v.Start) }},
	{"window_start", "Int64", func(v saidVerdict) any { return v.Start }},
	{"window_size", "Int64", func(v saidVerdict) any { return v.Size }},
	{"version", "Int64", func(v saidVerdict) any { return v.Version }},
	{"pipeline", lowCardinality, func(v saidVerdict) any { return v.Pipeline }},
	{"state", lowCardinality, func(v saidVerdict) any { return string(v.State) }},
	{"verdict", lowCardinality, func(v saidVerdict) any { return string(v.Kind) }},
	{"ratio", "Float64", func(v saidVerdict) any { return v.Ratio() }},
	{"judged_at", "DateTime64(3, 'UTC')", func(v saidVerdict) any { return clampMoment(v.Judged) }},
	{"final_at", "Nullable(DateTime64(3, 'UTC'))", func(v saidVerdict) any { return momentOrNone(v.Final) }},
	{"digest", lowCardinality, func(v saidVerdict) any { return v.Digest }},

	{"tiers.name", "Array(LowCardinality(String))", tiers(func(c *compare.Count) string { return c.Tier })},
	{"tiers.messages", "Array(UInt64)", tiers(func(c *compare.Count) uint64 { return c.Messages })},
	{"tiers.bytes", "Array(UInt64)", tiers(func(c *compare.Count) uint64 { return c.Bytes })},
	{"tiers.no_time", "Array(UInt64)", tiers(func(c *compare.Count) uint64 { return c.NoTime })},
	{"tiers.malformed", "Array(UInt64)", tiers(func(c *compare.Count) uint64 { return c.Malformed })},
	{"tiers.out_of_bounds", "Array(UInt64)", tiers(func(c *compare.Count) uint64 { return c.OutOfBounds })},
	{"tiers.attempts", "Array(UInt64)", tiers(func(c *compare.Count) uint64 { return c.Attempts })},
	{"tiers.failures", "Array(UInt64)", tiers(func(c *compare.Count) uint64 { return c.Failures })},
	{"tiers.sources", "Array(Int64)", tiers(func(c *compare.Count) int64 { return int64(c.Sources) })},
	{"tiers.counted", "Array(Bool)", tiers(func(c *compare.Count) bool { return c.Counted })},
	{"tiers.fingerprint", "Array(String)", tiers(func(c *compare.Count) string { return c.Fingerprint })},
	{"tiers.datacenters", "Array(Map(String, UInt64))", tiers(datacenters)},
	{"tiers.latencies", "Array(UInt64)", latencies(func(p *compare.Percentiles) uint64 { return p.Count })},
	{"tiers.p50_ms", "Array(Float64)", latencies(func(p *compare.Percentiles) float64 { return p.P50 })},
	{"tiers.p95_ms", "Array(Float64)", latencies(func(p *compare.Percentiles) float64 { return p.P95 })},
	{"tiers.p99_ms", "Array(Float64)", latencies(func(p *compare.Percentiles) float64 { return p.P99 })},
	{"tiers.max_ms", "Array(Int64)", latencies(func(p *compare.Percentiles) int64 { return p.Max })},
	{"tiers.negative_latencies", "Array(UInt64)", latencies(func(p *compare.Percentiles) uint64 { return p.Negative })},
	{"tiers.negative_ms", "Array(Int64)", latencies(func(p *compare.Percentiles) int64 { return p.NegativeMax })},
	{"tiers.arrivals", "Array(UInt64)", arrivals(func(p *compare.Percentiles) uint64 { return p.Count })},
	{"tiers.arrival_p50_ms", "Array(Float64)", arrivals(func(p *compare.Percentiles) float64 { return p.P50 })},
	{"tiers.arrival_p95_ms", "Array(Float64)", arrivals(func(p *compare.Percentiles) float64 { return p.P95 })},
	{"tiers.arrival_p99_ms", "Array(Float64)", arrivals(func(p *compare.Percentiles) float64 { return p.P99 })},
	{"tiers.arrival_max_ms", "Array(Int64)", arrivals(func(p *compare.Percentiles) int64 { return p.Max })},
	{"tiers.negative_arrivals", "Array(UInt64)", arrivals(func(p *compare.Percentiles) uint64 { return p.Negative })},
	{"tiers.negative_arrival_ms", "Array(Int64)", arrivals(func(p *compare.Percentiles) int64 { return p.NegativeMax })},

	{"findings.kind", "Array(LowCardinality(String))", findings(func(f *compare.Finding) string { return string(f.Kind) })},
	{"findings.reason", "Array(LowCardinality(String))", findings(func(f *compare.Finding) string { return string(f.Reason) })},
	{"findings.from_tier", "Array(LowCardinality(String))", findings(func(f *compare.Finding) string { return f.From })},
	{"findings.to_tier", "Array(LowCardinality(String))", findings(func(f *compare.Finding) string { return f.To })},
	{"findings.messages", "Array(UInt64)", findings(func(f *compare.Finding) uint64 { return f.Messages })},
	{"findings.bound", "Array(LowCardinality(String))", findings(func(f *compare.Finding) string { return string(f.Bound) })},
	{"findings.explained", "Array(Bool)", findings(func(f *compare.Finding) bool { return f.Explained })},
	{"findings.ids", "Array(Array(UInt64))", findings(func(f *compare.Finding) []uint64 { return ids(f) })},
	{"findings.sentence", "Array(String)", findings(func(f *compare.Finding) string { return f.Sentence() })},

	{"at_final", "Map(String, UInt64)", func(v saidVerdict) any { return orEmpty(v.AtFinal) }},
	{"json", "String", func(v saidVerdict) any { return string(v.json) }},
}

func tiers[T any](of func(*compare.Count) T) func(saidVerdict) any {
	return func(v saidVerdict) any { return each(v.Tiers, of) }
}

func latencies[T any](of func(*compare.Percentiles) T) func(saidVerdict) any {
	return tiers(func(c *compare.Count) T { return of(or(c.Latency, &noPercentiles)) })
}

func arrivals[T any](of func(*compare.Percentiles) T) func(saidVerdict) any {
	return tiers(func(c *compare.Count) T { return of(or(c.Arrival, &noPercentiles)) })
}

func findings[T any](of func(*compare.Finding) T) func(saidVerdict) any {
	return func(v saidVerdict) any { return each(v.Findings, of) }
}

var noPercentiles compare.Percentiles

func each[E, T any](list []E, of func(*E) T) []T {
	values := make([]T, len(list))
	for i := range list {
		values[i] = of(&list[i])
	}
	return values
}

func datacenters(c *compare.Count) map[string]uint64 {
	m := make(map[string]uint64, len(c.Datacenters))
	for _, d := range c.Datacenters {
		m[d.Name] = d.Messages
	}
	return m
}

func ids(f *compare.Finding) []uint64 {
	return each(f.IDs, func(m *compare.MessageID) uint64 { return m.ID })
}

func orEmpty(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return map[string]uint64{}
	}
	return m
}

// clampMoment keeps Unix milliseconds inside what window has.
func clampMoment(ms int64) time.Time {
	return time.UnixMilli(min(max(ms, firstWindow), lastWindow*1000)).UTC()
}

func momentOrNone(ms int64) any {
	if ms == 0 {
		return nil
	}
	return clampMoment(ms)
}

// WriteVerdicts implements sinks.Sink, by one INSERT.
func (s *Sink) WriteVerdicts(ctx context.Context, batch []*compare.Verdict) error {
	rows := make([]saidVerdict, len(batch))
	for i, v := range batch {
		if v.Topic == "" || v.Size <= 0 {
			return fmt.Errorf("clickhouse: write the verdict %s: it has no topic or no window: %w", v.Key(), sinks.ErrRejected)
		}
		b, err := v.Encode()
		if err != nil {
			return fmt.Errorf("clickhouse: write the verdict %s: %w: %w", v.Key(), sinks.ErrRejected, err)
		}
		rows[i] = saidVerdict{v, b}
	}
	conn, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return insert(ctx, s, conn, verdictTable, rows)
}

// Verdicts implements query.Judgements.
func (s *Sink) Verdicts(ctx context.Context, q query.Verdicts) ([]*compare.Verdict, error) {
	where, args := []string{span}, spanned(q.From, q.To)
	for _, filter := range []struct{ column, value string }{{"topic", q.Topic}, {"pipeline", q.Pipeline}} {
		if filter.value != "" {
			where = append(where, filter.column+" = {"+filter.column+":String}")
			args = append(args, driver.Named(filter.column, filter.value))
		}
	}
	if len(q.Kinds) > 0 {
		var any []string
		for i, k := range q.Kinds {
			any = append(any, fmt.Sprintf("verdict = {kind%d:String}", i))
			args = append(args, driver.Named(fmt.Sprintf("kind%d", i), string(k)))
		}
		where = append(where, "("+strings.Join(any, " OR ")+")")
	}
	var list []*compare.Verdict
	err := s.query(ctx, "query verdicts", `
SELECT json
FROM verdicts FINAL
WHERE `+strings.Join(where, " AND ")+`
ORDER BY topic, window_start, window_size`+limited(q.Limit), args, func(scan func(...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		v, _, err := compare.Decode([]byte(text))
		if err != nil {
			return err
		}
		list = append(list, v)
		return nil
	})
	return list, err
}

// limited is the end of a statement that gives so many rows at most; 0 is no bound.
func limited(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("\nLIMIT %d", n)
}
