package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/query"
)

// lateness tells how late the messages of a topic were at each tier.
func (s *Server) lateness(c echo.Context) error {
	p := params{values: c.QueryParams()}
	q := query.Windows{Topic: p.topic(c.Param("topic")), Datacenter: p.take("datacenter")}
	q.From, q.To = p.span(s.o.Now())
	if err := p.err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	rows, err := s.o.Query.Windows(ctx, q)
	if err != nil {
		return err
	}
	var tiers []string
	if s.o.Judged != nil { // else by name
		standings, err := s.o.Judged.Standings(ctx, q.Topic)
		if err != nil {
			return err
		}
		for _, st := range standings {
			for i := range st.Tiers {
				tiers = append(tiers, st.Tiers[i].Tier)
			}
		}
	}
	answer := v1.Lateness{Topic: q.Topic, From: instant(q.From), To: instant(q.To), Tiers: []v1.TierLateness{}}
	var before *query.TierLateness
	for _, l := range query.Lateness(rows, tiers) {
		answer.Tiers = append(answer.Tiers, latenessOf(&l, before))
		before = &l
	}
	return c.JSON(http.StatusOK, answer)
}

func latenessOf(l, before *query.TierLateness) v1.TierLateness {
	a := v1.TierLateness{Tier: l.Tier, Latency: latencyOf(&l.Recorded), Arrival: latencyOf(&l.Arrival), Curve: []v1.Arrived{}, Graces: []v1.Grace{}}
	if before != nil && before.Arrival.Count() > 0 && l.Arrival.Count() > 0 {
		hop := l.Arrival.Quantile(0.5) - before.Arrival.Quantile(0.5)
		a.Hop = &hop
	}
	for _, x := range l.Curve {
		a.Curve = append(a.Curve, v1.Arrived{After: x.After.Seconds(), Share: x.Share})
	}
	for _, g := range l.Graces {
		a.Graces = append(a.Graces, v1.Grace{Share: g.Share, Wait: g.Wait.Seconds()})
	}
	return a
}
