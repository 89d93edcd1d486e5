package api

import (
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/query"
)

var errNoAlerts = fmt.Errorf("this instance knows of no alerts: %w", query.ErrUnavailable)

func (s *Server) alerts(c echo.Context) error {
	p := params{values: c.QueryParams()}
	q := query.Alerts{Topic: p.topic(p.take("topic")), Rule: p.take("rule"), State: p.alertState(), Limit: s.o.MaxRows + 1}
	q.From, q.To = p.span(s.o.Now())
	if err := p.err(); err != nil {
		return err
	}
	if s.o.Alerts == nil {
		return errNoAlerts
	}
	list, err := s.o.Alerts.Alerts(c.Request().Context(), q)
	if err != nil {
		return err
	}
	if len(list) > s.o.MaxRows {
		p := problemf(v1.TooManyRows, "There are more than %d alerts; an answer has at most as many.", s.o.MaxRows)
		p.Try = "Ask for a shorter time, or for one topic, rule or state."
		return p
	}
	answer := v1.Alerts{From: instant(q.From), To: instant(q.To), Alerts: make([]v1.Alert, len(list))}
	for i, a := range list {
		answer.Alerts[i] = alertOf(a)
	}
	return c.JSON(http.StatusOK, answer)
}

func alertOf(a *query.Alert) v1.Alert {
	x := v1.Alert{Key: a.Key, Rule: a.Rule, Class: a.Class, Severity: string(a.Severity), State: string(a.State), Shadow: a.Shadow, Muted: a.Muted,
		Subject: a.Subject, Reason: string(a.Reason), Pipeline: a.Pipeline, From: a.Cause.From, To: a.Cause.To, Cluster: a.Cluster, Datacenter: a.Datacenter,
		Since: time.UnixMilli(a.Since).UTC(), Fired: millis(a.Fired), Resolved: millis(a.Resolved), Start: millis(a.Start * 1000), End: millis(a.End * 1000),
		Topics: a.Topics, Affected: a.Affected, Windows: a.Windows, Messages: a.Messages, Bound: string(a.Bound), Summary: a.Summary, Text: a.Text}
	if x.Topics == nil {
		x.Topics = []string{}
	}
	return x
}

// alertState reads the state of alerts that is asked for; empty for any.
func (p *params) alertState() query.AlertState {
	switch s := query.AlertState(p.take("state")); s {
	case "", query.Pending, query.Firing, query.Resolved:
		return s
	default:
		p.problem("state is %q and must be pending, firing or resolved", s)
		return ""
	}
}
