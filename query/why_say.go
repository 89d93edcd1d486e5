package query

import (
	"fmt"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// mostSaid bounds how many sources of a tier are said in words.
const mostSaid = 50

// say says the evidence in words, from the verdict down.
func (x *Explanation) say(e *Evidence) (s []string) {
	add := func(format string, args ...any) { s = append(s, fmt.Sprintf(format, args...)) }
	add("%s, window %s to %s: %s", x.Topic, x.Window.From().Format(time.RFC3339), x.Window.To().Format(time.RFC3339), x.headline())
	if v := x.Verdict; v != nil {
		for i := range v.Findings {
			add("%s", v.Findings[i].Sentence())
		}
		add("judged at %s from everything up to offset %d of its partition of the audit topic", clock(v.Judged), v.Version)
		if v.State == compare.Amended {
			for _, c := range v.Tiers {
				if was, ok := v.AtFinal[c.Tier]; ok && was != c.Messages {
					add("%s had %s when the window was final, and has %d now", c.Tier, messages(was), c.Messages)
				}
			}
		}
	}
	if x.Held != nil && x.Held.Finding == nil {
		add("%s", x.Held.Sentence())
	}
	for i := range x.Tiers {
		t := &x.Tiers[i]
		add("%s counted %s, %d bytes%s", t.Tier, messages(t.Messages), t.Bytes, reached(t.Reach))
		for j := range t.Sources {
			if j == mostSaid {
				add("  and %d more sources", len(t.Sources)-mostSaid)
				break
			}
			add("  %s", t.Sources[j].sentence(e.Now))
		}
	}
	for i := range x.Missed {
		m := &x.Missed[i]
		add("offsets %d to %d of %s at %s can no longer be counted (%s)", m.From, m.To-1, m.Source, m.Tier, m.Reason)
	}
	for i := range x.Silent {
		p := &x.Silent[i]
		add("instance %s of %s on %s has been silent since %s, without goodbye: what it counted since is unknown", p.Instance, p.Tier, orUnknown(p.Host), p.AsOf.UTC().Format(time.RFC3339))
	}
	if e.NoRecords != "" {
		add("the records themselves cannot be had: %s", e.NoRecords)
	}
	return s
}

func (x *Explanation) headline() string {
	line := "in no pipeline"
	if x.Pipeline != "" {
		line = "pipeline " + x.Pipeline
	}
	switch {
	case x.Empty && x.Complete:
		return "complete at zero: nobody has counted a message, and everything is counted past it (" + line + ")"
	case x.Empty:
		return fmt.Sprintf("%s, and there is no verdict (%s)", x.State, line)
	case x.Complete:
		return fmt.Sprintf("%s, so what went in came out; its verdict is %s (%s)", x.State, x.Kind, line)
	}
	return fmt.Sprintf("%s, its verdict is %s, and %.6g %% of what went in came out (%s)", x.State, x.Kind, 100*max(x.Ratio, 0), line)
}

func reached(r *compare.Reach) string {
	if r == nil {
		return "; nobody says how far it is counted"
	}
	if r.Until > 0 {
		return "; it" + strings.TrimPrefix(ReachSentence(r), r.Tier)
	}
	return "; " + ReachSentence(r)
}

func (s *SourceEvidence) sentence(now time.Time) string {
	p := compare.Place{Datacenter: s.Datacenter, Cluster: s.Cluster, Partition: s.Partition, Instance: s.Instance}
	text := p.String() + ": " + messages(s.Messages)
	if s.First >= 0 {
		text += fmt.Sprintf(", offsets %d to %d", s.First, s.Last)
	}
	for i, r := range s.Records {
		if i == 3 {
			text += fmt.Sprintf(", and %d more", len(s.Records)-i)
			break
		}
		text += fmt.Sprintf("; record %s, version %d", r.UUID(), r.Version)
	}
	if g := s.Progress; g != nil {
		text += fmt.Sprintf("; counted up to offset %d%s by %s, who said so at %s", g.Next, ofEnd(g), orUnknown(g.Host), g.AsOf.UTC().Format(time.RFC3339))
	} else if s.Partition != nil {
		text += "; nobody says how far it is counted"
	}
	if c := s.Client; c != nil {
		text += fmt.Sprintf("; %s on %s, which last spoke at %s", c.State(now), orUnknown(c.Host), c.AsOf.UTC().Format(time.RFC3339))
	}
	return text
}

// ofEnd says where the log of a source ends.
func ofEnd(p *Progress) string {
	switch {
	case p.End < 0:
		return ""
	case p.HighWatermark > p.End:
		return fmt.Sprintf(" (of %d, and %d more are in open transactions)", p.End, p.HighWatermark-p.End)
	case p.Next >= p.End || p.CaughtUp == audit.CaughtUpYes:
		return " (the end)"
	}
	return fmt.Sprintf(" (of %d)", p.End)
}

func messages(n uint64) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

func orUnknown(host string) string {
	if host == "" {
		return "an unknown host"
	}
	return host
}

// changes says what would change the verdict.
func (x *Explanation) changes(e *Evidence) (list []string) {
	said := map[string]bool{}
	add := func(text string) {
		if text != "" && !said[text] {
			said[text] = true
			list = append(list, text)
		}
	}
	if x.Verdict != nil {
		for i := range x.Verdict.Findings {
			add(remedy(&x.Verdict.Findings[i]))
		}
	}
	switch {
	case e.Standing == nil:
		add("the topic is judged as soon as a tier reports it")
	case x.reason == Unheard || x.reason == Forgotten:
		add("nothing: it is outside of what is judged")
	case !x.State.Settled():
		add("the window is final when every tier is counted past its end and grace")
	default:
		add("messages of this window that come now amend it, as long as the window is kept")
	}
	return list
}

// remedy says what would change a finding.
func remedy(f *compare.Finding) string {
	if f.Explained {
		return "" // by nothing: that is as it should be
	}
	switch f.Kind {
	case compare.Missing:
		return fmt.Sprintf("if the messages come to %s with the event time that they have, the window is amended and complete; if that is how it should be, say so under expected of the pipeline", f.To)
	case compare.Altered, compare.Duplicated:
		return fmt.Sprintf("what is at %s stays there; if that is how it should be, say so under expected of the pipeline", f.To)
	case compare.Late:
		if f.Reason == compare.Behind {
			return fmt.Sprintf("it is complete when %s has the messages, and they are missing if they have not come within late_within of the pipeline", f.To)
		}
		return ""
	}
	switch f.Reason {
	case compare.Uncounted, compare.Unreported:
		return fmt.Sprintf("it is known when %s has been counted past the window: see GET /api/v1/sources for who should count it, and /health there", f.To)
	case compare.OpenTx:
		return fmt.Sprintf("it is known when the open transaction at %s ends: kafka-transactions.sh find-hanging, and abort", f.To)
	case compare.Vanished:
		return fmt.Sprintf("it is known if the silent instance of %s speaks again", f.To)
	case compare.UnlikeSize, compare.UnlikeBasis, compare.UnlikeCodec:
		return fmt.Sprintf("windows are compared once %s counts like the others: the same windows.size and codec", f.To)
	case compare.NoPipeline:
		return "tiers are compared once pipelines in the configuration name their order"
	case compare.Missed, compare.Withheld, compare.Partial, compare.Unacknowledged:
		return fmt.Sprintf("nobody can find out any more what %s had beyond what it counted", f.To)
	}
	return ""
}
