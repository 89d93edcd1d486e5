package api

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

func (s *Server) topics(c echo.Context) error {
	p := params{values: c.QueryParams()}
	from, to := p.span(s.o.Now())
	if err := p.err(); err != nil {
		return err
	}
	topics, err := s.o.Query.Topics(c.Request().Context(), from, to)
	if err != nil {
		return err
	}
	answer := v1.Topics{From: instant(from), To: instant(to), Topics: make([]v1.Topic, len(topics))}
	for i, t := range topics {
		answer.Topics[i] = v1.Topic{Name: t.Name, Tiers: notNil(t.Tiers), Clusters: notNil(t.Clusters),
			First: instant(t.First), Last: instant(t.Last), Messages: t.Messages}
	}
	return c.JSON(http.StatusOK, answer)
}

func (s *Server) windows(c echo.Context) error {
	p := params{values: c.QueryParams()}
	q := query.Windows{
		Topic: p.topic(c.Param("topic")), Tier: p.take("tier"), Datacenter: p.take("datacenter"), Cluster: p.take("cluster"),
		Partition: p.partition(), By: p.by(),
	}
	q.From, q.To = p.span(s.o.Now())
	if err := p.err(); err != nil {
		return err
	}
	rows, err := s.o.Query.Windows(c.Request().Context(), q)
	if err != nil {
		return err
	}
	if len(rows) > s.o.MaxRows {
		return problemf(v1.TooManyRows, "There are %d rows; an answer has at most %d.", len(rows), s.o.MaxRows)
	}
	answer := v1.Windows{Topic: q.Topic, From: instant(q.From), To: instant(q.To), Rows: make([]v1.Row, len(rows))}
	for i := range rows {
		answer.Rows[i] = rowOf(&rows[i])
	}
	return c.JSON(http.StatusOK, answer)
}

func rowOf(r *query.Row) v1.Row {
	row := v1.Row{
		Start: r.Window.From(), End: r.Window.To(),
		Tier: r.Tier, Datacenter: r.Datacenter, Cluster: r.Cluster, Partition: r.Partition,
		Count: r.Count, Bytes: r.Bytes, NoTime: r.NoTime, Malformed: r.Malformed, OutOfBounds: r.OutOfBounds,
		Latency: latencyOf(&r.Latency), Partial: r.Partial, Sources: r.Sources, Originals: r.Originals,
	}
	if !r.Arrival.Empty() {
		arrival := latencyOf(&r.Arrival)
		row.Arrival = &arrival
	}
	if r.First >= 0 && r.Last >= 0 {
		row.FirstOffset, row.LastOffset = &r.First, &r.Last
	}
	if r.Originals == 0 {
		row.Fingerprint = strconv.FormatUint(r.Fingerprint, 10)
		row.PowerSums = sumsOf(&r.PowerSums)
		if r.Moments != (audit.PowerSums{}) {
			row.MomentSums = sumsOf(&r.Moments)
		}
	}
	return row
}

func sumsOf(sums *audit.PowerSums) (list []string) {
	for _, sum := range sums {
		list = append(list, strconv.FormatUint(sum, 10))
	}
	return list
}

func latencyOf(l *audit.Latency) v1.Latency {
	a := v1.Latency{Count: l.Count(), Negative: l.Negative, NegativeMax: l.NegativeMax}
	if a.Count == 0 {
		return a
	}
	quantile := func(q float64) *float64 { v := l.Quantile(q); return &v }
	mean := l.Mean()
	a.Mean, a.P50, a.P95, a.P99, a.Max = &mean, quantile(0.5), quantile(0.95), quantile(0.99), &l.Max
	return a
}

// notNil makes an empty list of none, so that JSON has [] and not null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
