package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// Here are questions in the shape in which tools ask them that know nothing of chaperone:
//
//	Apache Gobblin   verifies that what it copied is complete (KafkaAuditCountVerifier,
//	                 CompactionAuditCountVerifier): how many messages has each tier?
//	uReplicator      balances its work (WorkloadInfoRetriever, C3QueryUtils): how much
//	                 does each topic carry?

// gobblinTotals is for AuditCountHttpClient of gobblin-completeness. With
// audit.rest.base.url=http://chaperone:9000/gobblin/audit it asks
//
//	GET /gobblin/audit?topic=T&start=MS&end=MS
func (s *Server) gobblinTotals(c echo.Context) error {
	p := params{values: c.QueryParams()}
	totals, err := s.totals(c.Request().Context(), &p, p.take("topic"), "start")
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v1.GobblinTotals{TotalsPerTier: totals})
}

// gobblinResult is for KafkaAuditCountHttpClient of gobblin-compaction. With
// kafka.audit.rest.base.url=http://chaperone:9000/gobblin/audit it asks
//
//	GET /gobblin/audit/T?begin=MS&end=MS
func (s *Server) gobblinResult(c echo.Context) error {
	p := params{values: c.QueryParams()}
	totals, err := s.totals(c.Request().Context(), &p, c.Param("topic"), "begin")
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, v1.GobblinResult{Result: totals})
}

// totals sums up messages by tier. Gobblin divides those of one tier by those of another,
// and takes no numbers for completeness if it is told to; so before a time is settled it
// gets no numbers but a 503, on which it asks again.
func (s *Server) totals(ctx context.Context, p *params, topic, startName string) (map[string]uint64, error) {
	q := query.Windows{Topic: p.topic(topic)}
	start, end := p.milliseconds(startName), p.milliseconds("end")
	if topic == "" {
		p.problem("topic is missing")
	}
	if start > end {
		p.problem("%s is after end", startName)
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	if s.o.Judged == nil {
		return nil, errNoJudge
	}
	standings, err := s.o.Judged.Standings(ctx, topic)
	if err != nil {
		return nil, err
	}
	q.From, q.To = start/1000, (end+999)/1000
	switch {
	case len(standings) == 0:
		return nil, fmt.Errorf("nobody has heard of topic %s: %w", topic, query.ErrUnavailable)
	case q.To > standings[0].Until:
		return nil, fmt.Errorf("topic %s is settled up to %s only: %w", topic, instant(standings[0].Until).Format(time.RFC3339), query.ErrUnavailable)
	case q.From < standings[0].Since:
		return nil, fmt.Errorf("topic %s is not known before %s: %w", topic, instant(standings[0].Since).Format(time.RFC3339), query.ErrUnavailable)
	}
	rows, err := s.o.Query.Windows(ctx, q)
	if err != nil {
		return nil, err
	}
	totals := map[string]uint64{}
	for _, r := range standings[0].Tiers {
		totals[r.Tier] = 0 // a tier that is absent is an error to Gobblin, and none is one
	}
	for i := range rows {
		totals[rows[i].Tier] += rows[i].Count
	}
	return totals, nil
}

func (p *params) milliseconds(name string) int64 { return p.number(name, maxTime*1000) }

func (p *params) number(name string, most int64) int64 {
	text := p.take(name)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > most {
		p.problem("%s is %q and must be a number from 0 to %d", name, text, most)
	}
	return n
}

// rawMetrics is for C3QueryUtils of uReplicator, which asks for up to 100 topics of a Kafka
// cluster at once, and calls the cluster a tier:
//
//	GET /chaperone3/rawmetrics?startSec=S&endSec=S&tier=CLUSTER&topicList=T,T
func (s *Server) rawMetrics(c echo.Context) error {
	p := params{values: c.QueryParams()}
	start, end := p.number("startSec", maxTime), p.number("endSec", maxTime)
	tier := p.take("tier")
	var topics []string
	for name := range strings.SplitSeq(p.take("topicList"), ",") {
		if name != "" {
			topics = append(topics, p.topic(name))
		}
	}
	const mostTopics = 1000
	if len(topics) > mostTopics {
		p.problem("topicList has %d topics and must have at most %d", len(topics), mostTopics)
	}
	if start > end {
		p.problem("startSec is after endSec")
	}
	if err := p.err(); err != nil {
		return err
	}
	answer := v1.RawMetrics{}
	for _, topic := range topics {
		rows, err := s.o.Query.Windows(c.Request().Context(), query.Windows{Topic: topic, From: start, To: end, By: []query.Dimension{query.ByCluster}})
		if err != nil {
			return err
		}
		var sum audit.Tally
		for i := range rows {
			if r := &rows[i]; tier == "" || r.Cluster == tier || r.Tier == tier {
				sum.Merge(&r.Tally)
			}
		}
		if sum.Count == 0 {
			continue
		}
		l := latencyOf(&sum.Latency)
		answer[topic] = []v1.RawMetric{{Start: start, End: end, Bytes: sum.Bytes, Count: sum.Count, Invalid: sum.Malformed,
			MeanLatency: l.Mean, P99Latency: l.P99, MaxLatency: l.Max}}
	}
	return c.JSON(http.StatusOK, answer)
}
