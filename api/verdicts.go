package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// verdicts lists those of one topic or of all.
func (s *Server) verdicts(c echo.Context) error {
	p := params{values: c.QueryParams()}
	q := query.Verdicts{Topic: p.topic(c.Param("topic")), Pipeline: p.take("pipeline"), Kinds: p.kinds()}
	if q.Topic == "" {
		q.Topic = p.topic(p.take("topic"))
	}
	q.From, q.To = p.span(s.o.Now())
	if err := p.err(); err != nil {
		return err
	}
	if s.o.Judged == nil {
		return errNoJudge
	}
	ctx := c.Request().Context()
	q.Limit = s.o.MaxRows + 1
	n := 0
	if o, ok := s.o.Judged.(query.Outliner); ok { // before any verdict is read
		judgements, err := o.Judgements(ctx, q)
		if err != nil {
			return err
		}
		for _, list := range judgements {
			n += len(list)
		}
	}
	answer := v1.Verdicts{From: instant(q.From), To: instant(q.To), Verdicts: []v1.Verdict{}}
	if n <= s.o.MaxRows {
		list, err := s.o.Judged.Verdicts(ctx, q)
		if err != nil {
			return err
		}
		n = 0
		for _, v := range list {
			if !q.Wanted(v.Kind, v.Pipeline) {
				continue
			}
			if n++; n <= s.o.MaxRows {
				answer.Verdicts = append(answer.Verdicts, verdictOf(v))
			}
		}
	}
	if n > s.o.MaxRows {
		p := problemf(v1.TooManyRows, "There are %d verdicts; an answer has at most %d.", n, s.o.MaxRows)
		p.Try = "Ask for a shorter time, for one topic or pipeline, or for some verdicts only: verdict=missing,altered."
		return p
	}
	return c.JSON(http.StatusOK, answer)
}

func verdictOf(v *compare.Verdict) v1.Verdict {
	a := v1.Verdict{
		Topic: v.Topic, Start: v.Window().From(), End: v.Window().To(), Pipeline: v.Pipeline, State: string(v.State), Verdict: string(v.Kind), Ratio: v.Ratio(),
		Findings: make([]v1.Finding, len(v.Findings)), Tiers: make([]v1.TierCount, len(v.Tiers)), Final: millis(v.Final), Version: v.Version, Digest: v.Digest, AtFinal: v.AtFinal,
	}
	if judged := millis(v.Judged); judged != nil {
		a.Judged = *judged
	}
	for i := range v.Findings {
		a.Findings[i] = findingOf(&v.Findings[i])
	}
	for i := range v.Tiers {
		a.Tiers[i] = tierCountOf(&v.Tiers[i])
	}
	return a
}

func findingOf(f *compare.Finding) v1.Finding {
	a := v1.Finding{Kind: string(f.Kind), Reason: string(f.Reason), From: f.From, To: f.To, Messages: f.Messages, Bound: string(f.Bound),
		Explained: f.Explained, Detail: f.Detail, Sentence: f.Sentence()}
	for i := range f.Places {
		a.Places = append(a.Places, placeOf(&f.Places[i]))
	}
	for _, id := range f.IDs {
		a.IDs = append(a.IDs, v1.MessageID{ID: id.String(), Times: id.Times})
	}
	return a
}

func placeOf(p *compare.Place) v1.Place {
	a := v1.Place{Datacenter: p.Datacenter, Cluster: p.Cluster, Partition: p.Partition, Instance: p.Instance, Messages: p.Messages}
	if p.First >= 0 && p.Last >= 0 {
		a.First, a.Last = &p.First, &p.Last
	}
	return a
}

func tierCountOf(c *compare.Count) v1.TierCount {
	a := v1.TierCount{
		Tier: c.Tier, Messages: c.Messages, Bytes: c.Bytes, NoTime: c.NoTime, Malformed: c.Malformed, OutOfBounds: c.OutOfBounds, Attempts: c.Attempts,
		Failures: c.Failures, Sources: c.Sources, Counted: c.Counted, Fingerprint: c.Fingerprint, Latency: percentilesOf(c.Latency), Arrival: percentilesOf(c.Arrival),
	}
	for _, d := range c.Datacenters {
		if a.Datacenters == nil {
			a.Datacenters = map[string]uint64{}
		}
		a.Datacenters[d.Name] = d.Messages
	}
	return a
}

func percentilesOf(p *compare.Percentiles) *v1.Percentiles {
	if p == nil {
		return nil
	}
	return &v1.Percentiles{Count: p.Count, P50: p.P50, P95: p.P95, P99: p.P99, Max: p.Max, Negative: p.Negative, NegativeMax: p.NegativeMax}
}
