package alerts_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
)

// BenchmarkStep is a step over a thousand topics, of six hours with something wrong in
// one of a hundred windows, and of the last hour all windows.
func BenchmarkStep(b *testing.B) {
	c := config(alerts.DefaultRules()...)
	c.Classes = []alerts.Class{{Name: alerts.Critical, Topics: []string{"pay[.].*", "topic-0.*"}}}
	r, err := alerts.New(c)
	if err != nil {
		b.Fatal(err)
	}
	now := midnight.Add(10 * time.Hour)
	var verdicts []*compare.Verdict
	var standings []*compare.Standing
	for i := range 1000 {
		topic := fmt.Sprintf("topic-%03d", i)
		standings = append(standings, &compare.Standing{Topic: topic, Size: 600, Judged: now.UnixMilli(), Tiers: []compare.Reach{{Tier: "a", Until: now.UnixMilli()}, {Tier: "b", Until: now.UnixMilli()}}})
		for k := range 36 {
			v := &compare.Verdict{Topic: topic, Start: now.Unix() - int64(36-k)*600, Size: 600, Pipeline: "main", State: compare.Final, Final: now.UnixMilli(), Judged: now.UnixMilli(),
				Kind: compare.Complete, Tiers: []compare.Count{{Tier: "a", Messages: 10}, {Tier: "b", Messages: 10}}}
			if (i+k)%100 == 0 {
				v.Kind, v.Findings = compare.Missing, []compare.Finding{{Kind: compare.Missing, From: "a", To: "b", Messages: 3}}
			} else if k < 30 {
				continue
			}
			verdicts = append(verdicts, v)
		}
	}
	s := alerts.NewSnapshot(verdicts, standings)
	s.Recent = now.Unix() - 3600
	st, _ := r.Step(nil, s, now)
	for b.Loop() {
		r.Step(st, s, now)
	}
}
