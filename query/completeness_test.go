package query

import (
	"math/rand/v2"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

const t0 = 1_700_000_400 // a multiple of 600

func win(n int64) audit.Window { return audit.Window{Start: t0 + 600*n, Size: 600} }

// judgement of a window whose first tier has counted a hundred messages.
func judgement(n int64, state compare.State, findings ...compare.Finding) Judgement {
	return JudgementOf(&compare.Verdict{Start: win(n).Start, Size: 600, State: state, Kind: compare.Gravest(findings), Findings: findings,
		Tiers: []compare.Count{{Tier: "a", Messages: 100}, {Tier: "b", Messages: 100}}})
}

func found(k compare.Kind, r compare.Reason, n uint64) compare.Finding {
	return compare.Finding{Kind: k, Reason: r, From: "a", To: "b", Messages: n}
}

// standing of a topic that is settled before window n.
func standing(n int64) *compare.Standing {
	return &compare.Standing{Topic: "orders", Pipeline: "p", Size: 600, Since: t0, Until: win(n).Start,
		Tiers: []compare.Reach{{Tier: "a", Until: win(n).End() * 1000}, {Tier: "b", Until: win(n).Start*1000 + 5000, Holds: []compare.Hold{{Reason: compare.Uncounted, Place: compare.Place{Cluster: "east"}}}}}}
}

func TestCompleteness(t *testing.T) {
	whole := Span{From: t0, To: win(6).Start, Whole: true, Threshold: 1, Now: win(9).Start}
	with := func(change func(*Span)) Span { s := whole; change(&s); return s }
	expected := found(compare.Missing, "", 3)
	expected.Explained = true
	for _, c := range []struct {
		outcome     string
		s           *compare.Standing
		j           []Judgement
		span        Span
		until, prov int64 // windows from t0
		held        string
	}{
		{"windows without a verdict are complete at zero where all is settled", standing(6), nil, whole, 6, 6, ""},
		{"and not known after that", standing(4), nil, whole, 4, 4, "the window has ended, and is not counted everywhere: b is counted up to 2023-11-14T23:00:05Z, held by east (not counted further)"},
		{"a final window is complete by itself", standing(4), []Judgement{judgement(4, compare.Final), judgement(5, compare.Amended)}, whole, 6, 6, ""},
		{"a provisional one is not, and lacks nothing so far", standing(2), []Judgement{judgement(2, compare.Provisional)}, whole, 2, 3, "the window has ended, and is not counted everywhere: b is counted up to 2023-11-14T22:40:05Z, held by east (not counted further)"},
		{"messages are missing", standing(6), []Judgement{judgement(1, compare.Final, found(compare.Missing, "", 3))}, whole, 1, 1, "3 messages passed a and are missing at b"},
		{"few enough are missing", standing(6), []Judgement{judgement(1, compare.Final, found(compare.Missing, "", 3))}, with(func(s *Span) { s.Threshold = 0.97 }), 6, 6, ""},
		{"what is missing is expected", standing(6), []Judgement{judgement(1, compare.Final, expected)}, whole, 6, 6, ""},
		{"unknown is never complete", standing(6), []Judgement{judgement(1, compare.Final, found(compare.Unknown, compare.Missed, 1))}, with(func(s *Span) { s.Threshold = 0 }), 1, 1, "1 message of b can no longer be counted"},
		{"what came late has come", standing(6), []Judgement{judgement(1, compare.Amended, found(compare.Late, compare.Arrived, 9)), judgement(2, compare.Final, found(compare.Late, compare.Shifted, 9))}, whole, 6, 6, ""},
		{"what is behind has not", standing(6), []Judgement{judgement(1, compare.Final, found(compare.Late, compare.Behind, 1))}, with(func(s *Span) { s.Threshold = 0.5 }), 1, 1, "1 message of a has not come to b yet, which is behind: it has nothing of later windows either"},
		{"doubled messages do no harm", standing(6), []Judgement{judgement(1, compare.Final, found(compare.Duplicated, "", 9))}, whole, 6, 6, ""},
		{"the time before the topic was known is asked for", standing(6), nil, with(func(s *Span) { s.From = win(-2).Start }), -2, -2, "nothing is known of the time before chaperone began to count the topic"},
		{"and is not", standing(6), nil, with(func(s *Span) { s.From, s.Whole = win(-2).Start, false }), 6, 6, ""},
		{"the verdicts are not kept so long", standing(6), nil, with(func(s *Span) { s.Known = t0 + 601 }), 0, 0, "it is older than what is kept"},
		{"nor asked for", standing(6), nil, with(func(s *Span) { s.Known, s.Whole = t0+601, false }), 6, 6, ""},
		{"a window has not ended", standing(6), nil, with(func(s *Span) { s.To, s.Now = win(8).Start, win(6).Start+60 }), 6, 6, "the window has not ended"},
		{"from within a window", standing(6), []Judgement{judgement(0, compare.Final, found(compare.Missing, "", 3))}, with(func(s *Span) { s.From = t0 + 300 }), 0, 0, "3 messages passed a and are missing at b"},
		{"nobody has heard of the topic", nil, nil, whole, 0, 0, "nobody has heard of the topic: is it audited, and is its name right?"},
		{"a window of another size", standing(6), []Judgement{{Window: audit.Window{Start: t0 + 660, Size: 60}, State: compare.Final, Kind: compare.Unknown, Against: []compare.Finding{{Kind: compare.Unknown, Reason: compare.UnlikeSize, To: "b"}}}}, whole, 1, 1, "b counts in windows of another size"},
		{"a longer window", standing(6), []Judgement{{Window: audit.Window{Start: t0 - 1800, Size: 3600}, State: compare.Final, Ratio: 1, Kind: compare.Unknown, Against: []compare.Finding{{Kind: compare.Unknown, Reason: compare.UnlikeSize, To: "b"}}}}, whole, 0, 0, "b counts in windows of another size"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			got := CompletenessOf("orders", c.s, c.j, c.span)
			if got.Until != win(c.until).Start || got.Provisional != win(c.prov).Start {
				t.Errorf("complete up to window %d, provisionally %d", (got.Until-t0)/600, (got.Provisional-t0)/600)
			}
			switch {
			case got.Held == nil && c.held == "":
			case got.Held == nil:
				t.Errorf("nothing holds it, want %q", c.held)
			default:
				if s := got.Held.Sentence(); s != c.held {
					t.Errorf("held because %q, want %q", s, c.held)
				}
				if got.Held.Size > 0 && got.Held.Start != got.Until {
					t.Errorf("held by %s, which is not where it ends", got.Held.Window)
				}
			}
		})
	}
}

// world is a random topic: how it stands, and judgements of some of its windows.
func randomTopic(r *rand.Rand) (*compare.Standing, []Judgement) {
	var list []Judgement
	for n := range int64(20) {
		if r.IntN(3) == 0 {
			continue
		}
		var findings []compare.Finding
		if r.IntN(3) == 0 {
			reasons := []compare.Reason{"", compare.Behind, compare.Arrived, compare.Shifted, compare.Missed}
			f := found(compare.Kinds()[r.IntN(6)], reasons[r.IntN(5)], uint64(r.IntN(50)))
			f.Explained = r.IntN(4) == 0
			findings = append(findings, f)
		}
		list = append(list, judgement(n, []compare.State{compare.Final, compare.Final, compare.Amended, compare.Provisional}[r.IntN(4)], findings...))
	}
	return standing(r.Int64N(22)), list
}

func TestPropertiesOfCompleteness(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, list := randomTopic(r)
		span := Span{From: t0 + r.Int64N(6000), To: t0 + 6000 + r.Int64N(6000), Whole: r.IntN(2) == 0, Threshold: r.Float64(), Now: win(18).Start, Known: t0 + r.Int64N(3000)}
		c := CompletenessOf("orders", s, list, span)
		fail := func(what string) { t.Fatalf("seed %d: %s: %+v\nof %+v %+v", seed, what, c, s, list) }
		if c.Provisional < c.Until || c.Until < c.From || (c.Held == nil) != (c.Until >= span.To) {
			fail("the times do not fit together")
		}
		at := map[audit.Window]*Judgement{}
		for i := range list {
			at[list[i].Window] = &list[i]
		}
		for _, w := range c.Windows {
			j := at[w.Window]
			if w.Start < c.Until != w.Complete && w.Start <= c.Until {
				fail("it does not end at the first window that is not complete")
			}
			if !w.Complete {
				continue
			}
			if w.Start < s.Since || w.Start < span.Known {
				fail("a window of which nothing is known is complete")
			}
			if j == nil && w.End() > s.Until || j != nil && (!j.State.Settled() || j.Ratio < span.Threshold) {
				fail("a window that is not settled, or below the threshold, is complete")
			}
			for _, f := range w.Against {
				if f.Kind == compare.Unknown || f.Reason == compare.Behind && f.Kind == compare.Late {
					fail("unknown, or behind, is complete")
				}
			}
		}
		// The less is asked for, the further it is complete; and so it is the more is known.
		less, later, more := span, span, *s
		less.Threshold *= r.Float64()
		if got := CompletenessOf("orders", s, list, less); got.Until < c.Until || got.Provisional < c.Provisional {
			fail("a lower threshold gives less")
		}
		later.From = min(c.From+600*r.Int64N(5), span.To)
		if got := CompletenessOf("orders", s, list, later); got.Until < min(c.Until, later.To) {
			fail("a later beginning gives less")
		}
		more.Until += 600 * r.Int64N(4)
		if got := CompletenessOf("orders", &more, list, span); got.Until < c.Until {
			fail("more that is settled gives less")
		}
	}
}
