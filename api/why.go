package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// unheardSize is the size of windows, in seconds, of topics that nobody has judged.
const unheardSize = 600

// why gives the chain of evidence of a window.
func (s *Server) why(c echo.Context) error {
	p := params{values: c.QueryParams()}
	e := query.Evidence{Topic: p.topic(c.Param("topic")), Now: s.o.Now()}
	if s.o.Judged == nil {
		return errNoJudge
	}
	ctx := c.Request().Context()
	size := int64(unheardSize)
	if len(p.wrong) == 0 {
		standings, err := s.o.Judged.Standings(ctx, e.Topic)
		if err != nil {
			return err
		}
		if len(standings) > 0 {
			e.Standing, size = standings[0], standings[0].Size
		}
	}
	e.Window = p.window(e.Now, size)
	if err := p.err(); err != nil {
		return err
	}
	if err := s.gather(ctx, &e); err != nil {
		return err
	}
	x := query.Why(&e)
	return c.JSON(http.StatusOK, explanationOf(x, &e))
}

// gather asks for all that is known of a window.
func (s *Server) gather(ctx context.Context, e *query.Evidence) error {
	from, to := e.Window.Start, e.Window.End()
	if s.o.JudgedSince != nil {
		e.Known = s.o.JudgedSince()
	}
	verdicts, err := s.o.Judged.Verdicts(ctx, query.Verdicts{Topic: e.Topic, From: from, To: to})
	if err != nil {
		return err
	}
	for _, v := range verdicts {
		if v.Window() == e.Window {
			e.Verdict = v
		}
	}
	if e.Rows, err = s.o.Query.Windows(ctx, query.Windows{Topic: e.Topic, From: from, To: to, By: []query.Dimension{query.ByDatacenter, query.ByPartition}}); err != nil {
		return err
	}
	e.NoRecords = "this instance does not give them"
	if s.o.Records != nil {
		e.NoRecords = ""
		if e.Records, err = s.o.Records.Records(ctx, e.Topic, from, to); err != nil {
			e.NoRecords = err.Error() // the rows tell as much, but for names
		}
	}
	if s.o.Sources == nil {
		return errNoSources
	}
	if e.Progress, err = s.o.Sources.Progress(ctx, e.Topic); err != nil {
		return err
	}
	if e.Instances, err = s.o.Sources.Instances(ctx, e.Topic); err != nil {
		return err
	}
	e.Missed, err = s.o.Sources.Missed(ctx, e.Topic)
	return err
}

func explanationOf(x *query.Explanation, e *query.Evidence) v1.Explanation {
	a := v1.Explanation{Topic: x.Topic, Pipeline: x.Pipeline, Window: windowCompletenessOf(&x.WindowCompleteness), Tiers: []v1.TierEvidence{},
		Missed: []v1.MissedRange{}, Silent: []v1.Instance{}, Sentences: notNil(x.Sentences), Changes: notNil(x.Changes)}
	if x.Held != nil {
		a.Held = heldOf(x.Held)
	}
	if x.Verdict != nil {
		v := verdictOf(x.Verdict)
		a.Verdict = &v
	}
	for i := range x.Tiers {
		t := &x.Tiers[i]
		tier := v1.TierEvidence{Tier: t.Tier, Messages: t.Messages, Bytes: t.Bytes, Sources: []v1.SourceEvidence{}}
		if t.Reach != nil {
			r := reachOf(t.Reach)
			tier.Until, tier.Holds = r.Until, r.Holds
		}
		for j := range t.Sources {
			tier.Sources = append(tier.Sources, evidenceOf(&t.Sources[j], e))
		}
		a.Tiers = append(a.Tiers, tier)
	}
	for i := range x.Missed {
		a.Missed = append(a.Missed, missedOf(&x.Missed[i]))
	}
	for i := range x.Silent {
		a.Silent = append(a.Silent, instanceOf(&x.Silent[i], e.Now))
	}
	return a
}

func evidenceOf(s *query.SourceEvidence, e *query.Evidence) v1.SourceEvidence {
	a := v1.SourceEvidence{Datacenter: s.Datacenter, Cluster: s.Cluster, Partition: s.Partition, Instance: s.Instance, Messages: s.Messages, Bytes: s.Bytes, Records: []v1.Record{}}
	if s.First >= 0 && s.Last >= 0 {
		a.First, a.Last = &s.First, &s.Last
	}
	for _, r := range s.Records {
		a.Records = append(a.Records, recordOf(r))
	}
	if s.Progress != nil {
		p := sourceOf(s.Progress)
		a.Progress = &p
	}
	if s.Client != nil {
		i := instanceOf(s.Client, e.Now)
		a.Client = &i
	}
	return a
}

var errNoRecords = fmt.Errorf("this instance does not give records: %w", query.ErrUnavailable)

// records lists those that the windows of a topic rest on.
func (s *Server) records(c echo.Context) error {
	p := params{values: c.QueryParams()}
	topic := p.topic(c.Param("topic"))
	from, to := p.span(s.o.Now())
	if err := p.err(); err != nil {
		return err
	}
	if s.o.Records == nil {
		return errNoRecords
	}
	list, err := s.o.Records.Records(c.Request().Context(), topic, from, to)
	if err != nil {
		return err
	}
	if len(list) > s.o.MaxRows {
		p := problemf(v1.TooManyRows, "There are %d records; an answer has at most %d.", len(list), s.o.MaxRows)
		p.Try = "Ask for a shorter time."
		return p
	}
	answer := v1.Records{Topic: topic, From: instant(from), To: instant(to), Records: make([]v1.Record, len(list))}
	for i, r := range list {
		answer.Records[i] = recordOf(r)
	}
	return c.JSON(http.StatusOK, answer)
}

func recordOf(r *audit.Record) v1.Record {
	t := r.Tally
	a := v1.Record{
		UUID: r.UUID().String(), Identity: r.IdentityKey(), Version: r.Version, Tier: r.Tier, Start: r.Window.From(), End: r.Window.To(), Owner: r.Owner, Host: r.Host,
		Count: t.Count, Bytes: t.Bytes, Partial: t.Partial, Mode: t.FingerprintMode,
	}
	if r.Original == nil && t.FingerprintMode != "" {
		a.Fingerprint = strconv.FormatUint(t.Fingerprint, 10)
	}
	if t.First >= 0 && t.Last >= 0 {
		a.First, a.Last = &t.First, &t.Last
	}
	return a
}
