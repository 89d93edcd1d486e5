package api

import (
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/query"
)

func (s *Server) instances(c echo.Context) error {
	p := params{values: c.QueryParams()}
	topic := p.topic(p.take("topic"))
	states := p.states()
	if err := p.err(); err != nil {
		return err
	}
	if s.o.Sources == nil {
		return errNoSources
	}
	list, err := s.o.Sources.Instances(c.Request().Context(), topic)
	if err != nil {
		return err
	}
	now := s.o.Now()
	if states != nil {
		list = slices.DeleteFunc(list, func(i query.Instance) bool { return !slices.Contains(states, i.State(now)) })
	}
	if len(list) > s.o.MaxRows {
		p := problemf(v1.TooManyRows, "There are %d instances; an answer has at most %d.", len(list), s.o.MaxRows)
		p.Try = "Ask for one topic, or for some states only: state=running,silent leaves out those that said goodbye."
		return p
	}
	answer := v1.Instances{Instances: make([]v1.Instance, len(list))}
	for n := range list {
		answer.Instances[n] = instanceOf(&list[n], now)
	}
	return c.JSON(http.StatusOK, answer)
}

func instanceOf(i *query.Instance, now time.Time) v1.Instance {
	return v1.Instance{
		Topic: i.Topic, Tier: i.Tier, Datacenter: i.Datacenter, Instance: i.Instance, Host: i.Host, State: string(i.State(now)), Started: millis(i.Started),
		AsOf: i.AsOf.UTC(), Attempts: i.Attempts, Successes: i.Successes, Failures: i.Failures, Uncounted: i.Uncounted, Windows: i.Records,
	}
}
