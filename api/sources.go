package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

var errNoSources = fmt.Errorf("this instance does not follow the sources: %w", query.ErrUnavailable)

func (s *Server) sources(c echo.Context) error {
	p := params{values: c.QueryParams()}
	topic := p.topic(p.take("topic"))
	if err := p.err(); err != nil {
		return err
	}
	list, err := s.progress(c.Request().Context(), topic)
	if err != nil {
		return err
	}
	answer := v1.Sources{Sources: make([]v1.Source, len(list))}
	for i := range list {
		answer.Sources[i] = sourceOf(&list[i])
	}
	return c.JSON(http.StatusOK, answer)
}

func (s *Server) progress(ctx context.Context, topic string) ([]query.Progress, error) {
	if s.o.Sources == nil {
		return nil, errNoSources
	}
	return s.o.Sources.Progress(ctx, topic)
}

func sourceOf(p *query.Progress) v1.Source {
	a := v1.Source{Topic: p.Source.Topic, Physical: p.Physical, TopicID: p.Source.TopicID.String(), Cluster: p.Source.Cluster, Tier: p.Tier,
		Datacenter: p.Datacenter, Partition: p.Source.Partition, Host: p.Host, Owner: p.Owner, AsOf: p.AsOf.UTC(),
		Generation: p.Generation, Start: p.Start, Next: p.Next, Total: p.Total, CaughtUp: string(p.CaughtUp), LastTime: millis(p.Time)}
	if p.End >= 0 {
		a.End = &p.End
	}
	if p.HighWatermark >= 0 {
		a.HighWatermark = &p.HighWatermark
	}
	if a.CaughtUp == "" {
		a.CaughtUp = string(audit.CaughtUpUnknown)
	}
	return a
}

func (s *Server) missed(c echo.Context) error {
	p := params{values: c.QueryParams()}
	topic := p.topic(p.take("topic"))
	if err := p.err(); err != nil {
		return err
	}
	if s.o.Sources == nil {
		return errNoSources
	}
	list, err := s.o.Sources.Missed(c.Request().Context(), topic)
	if err != nil {
		return err
	}
	answer := v1.Missed{Missed: make([]v1.MissedRange, len(list))}
	for i := range list {
		answer.Missed[i] = missedOf(&list[i])
	}
	return c.JSON(http.StatusOK, answer)
}

func missedOf(m *query.Missed) v1.MissedRange {
	return v1.MissedRange{Topic: m.Source.Topic, TopicID: m.Source.TopicID.String(), Cluster: m.Source.Cluster, Tier: m.Tier,
		Datacenter: m.Datacenter, Partition: m.Source.Partition, From: m.From, To: m.To, Reason: string(m.Reason),
		Since: millis(m.Since), Until: millis(m.Until), AsOf: m.AsOf.UTC()}
}

// millis is the time of Unix milliseconds, nil for 0, which stands for unknown,
// and for what no year of four digits holds.
func millis(ms int64) *time.Time {
	if ms == 0 || ms < minTime*1000 || ms > maxTime*1000 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}
