package clickhouse

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// A saidAlert is an alert with its JSON, as a saidVerdict is.
type saidAlert struct {
	*query.Alert
	json []byte
}

var alertTable = table[saidAlert]{"alert_events", alertColumns, func(a saidAlert) string { return "the alert " + a.Key }}

// alertColumns are those of alert_events.
var alertColumns = []column[saidAlert]{
	{"key", "String", func(a saidAlert) any { return a.Key }},
	{"state", lowCardinality, func(a saidAlert) any { return string(a.State) }},
	{"version", "Int64", func(a saidAlert) any { return a.Version }},
	{"rule", lowCardinality, func(a saidAlert) any { return a.Rule }},
	{"class", lowCardinality, func(a saidAlert) any { return a.Class }},
	{"severity", lowCardinality, func(a saidAlert) any { return string(a.Severity) }},
	{"shadow", "Bool", func(a saidAlert) any { return a.Shadow }},
	{"muted", "String", func(a saidAlert) any { return a.Muted }},
	{"pipeline", lowCardinality, func(a saidAlert) any { return a.Pipeline }},
	{"from_tier", lowCardinality, func(a saidAlert) any { return a.From }},
	{"to_tier", lowCardinality, func(a saidAlert) any { return a.To }},
	{"subject", lowCardinality, func(a saidAlert) any { return a.Subject }},
	{"reason", lowCardinality, func(a saidAlert) any { return string(a.Reason) }},
	{"cluster", lowCardinality, func(a saidAlert) any { return a.Cluster }},
	{"datacenter", lowCardinality, func(a saidAlert) any { return a.Datacenter }},
	{"since", "DateTime64(3, 'UTC')", func(a saidAlert) any { return clampMoment(a.Since) }},
	{"fired_at", "Nullable(DateTime64(3, 'UTC'))", func(a saidAlert) any { return momentOrNone(a.Fired) }},
	{"resolved_at", "Nullable(DateTime64(3, 'UTC'))", func(a saidAlert) any { return momentOrNone(a.Resolved) }},
	{"first_window", "Nullable(DateTime('UTC'))", func(a saidAlert) any { return windowOrNone(a.Start) }},
	{"windows_end", "Nullable(DateTime('UTC'))", func(a saidAlert) any { return windowOrNone(a.End) }},
	{"topics", "Array(LowCardinality(String))", func(a saidAlert) any { return append([]string{}, a.Topics...) }},
	{"affected_topics", "Int64", func(a saidAlert) any { return int64(a.Affected) }},
	{"windows", "Int64", func(a saidAlert) any { return int64(a.Windows) }},
	{"messages", "UInt64", func(a saidAlert) any { return a.Messages }},
	{"bound", lowCardinality, func(a saidAlert) any { return string(a.Bound) }},
	{"summary", "String", func(a saidAlert) any { return a.Summary }},
	{"text", "String", func(a saidAlert) any { return a.Text }},
	{"json", "String", func(a saidAlert) any { return string(a.json) }},
}

func windowOrNone(s int64) any {
	if s == 0 {
		return nil
	}
	return clampWindow(s)
}

// WriteAlerts implements sinks.Sink, by one INSERT.
func (s *Sink) WriteAlerts(ctx context.Context, batch []*query.Alert) error {
	rows := make([]saidAlert, len(batch))
	for i, a := range batch {
		if a.Key == "" {
			return fmt.Errorf("clickhouse: write the alert %q: it has no key: %w", a.Summary, sinks.ErrRejected)
		}
		b, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("clickhouse: write the alert %s: %w: %w", a.Key, sinks.ErrRejected, err)
		}
		rows[i] = saidAlert{a, b}
	}
	conn, err := s.ready(ctx)
	if err != nil {
		return err
	}
	return insert(ctx, s, conn, alertTable, rows)
}

// Alerts implements query.Alerting. It says in SQL what query.Alerts.Wants says in Go.
func (s *Sink) Alerts(ctx context.Context, q query.Alerts) ([]*query.Alert, error) {
	sql, args := alertsSQL(q)
	var list []*query.Alert
	err := s.query(ctx, "query alerts", sql, args, func(scan func(...any) error) error {
		var text string
		if err := scan(&text); err != nil {
			return err
		}
		a := &query.Alert{}
		list = append(list, a)
		return json.Unmarshal([]byte(text), a)
	})
	return list, err
}

func alertsSQL(q query.Alerts) (string, []any) {
	where := []string{"true"}
	var args []any
	for _, filter := range []struct{ condition, name, value string }{
		{"rule = {rule:String}", "rule", q.Rule}, {"state = {state:String}", "state", string(q.State)}, {"has(topics, {topic:String})", "topic", q.Topic},
	} {
		if filter.value != "" {
			where, args = append(where, filter.condition), append(args, driver.Named(filter.name, filter.value))
		}
	}
	if q.From != 0 || q.To != 0 {
		where = append(where, "toUnixTimestamp64Milli(since) < {to:Int64}", "(resolved_at IS NULL OR toUnixTimestamp64Milli(assumeNotNull(resolved_at)) >= {from:Int64})")
		args = append(args, driver.Named("from", milliseconds(q.From)), driver.Named("to", milliseconds(q.To)))
	}
	sql := `
SELECT json
FROM (SELECT * FROM alert_events FINAL ORDER BY key, version DESC LIMIT 1 BY key)
WHERE ` + strings.Join(where, " AND ") + `
ORDER BY since DESC, key`
	if q.Limit > 0 {
		sql += fmt.Sprintf("\nLIMIT %d", q.Limit)
	}
	return sql, args
}

// milliseconds of Unix seconds, or the nearest that there are.
func milliseconds(s int64) int64 {
	return min(max(s, math.MinInt64/1000), math.MaxInt64/1000) * 1000
}
