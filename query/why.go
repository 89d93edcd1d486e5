package query

import (
	"cmp"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// Evidence is all that is known of a window of a topic.
type Evidence struct {
	Topic     string
	Window    audit.Window
	Now       time.Time
	Known     int64             // as in Span
	Standing  *compare.Standing // nil: nobody has heard of the topic
	Verdict   *compare.Verdict  // nil: there is none
	Rows      []Row             // of the window, by partition
	Records   []*audit.Record   // that count, of the window
	NoRecords string            // why the records cannot be had; empty: they are all there
	Progress  []Progress        // of the topic, as are the following
	Instances []Instance
	Missed    []Missed
}

// An Explanation is the chain of evidence of a window, from the verdict down to the
// records that it rests on.
type Explanation struct {
	Topic, Pipeline string
	WindowCompleteness
	Held    *Held            // why it is not complete, as far as that can be said; nil: it is
	Verdict *compare.Verdict // nil: there is none
	Tiers   []TierEvidence   // in the order of the pipeline
	Missed  []Missed         // ranges that touch the window
	Silent  []Instance       // application instances that fell silent without goodbye

	Sentences []string // all of this in plain words
	Changes   []string // what would change the verdict, likewise
}

// TierEvidence is what is known of a window at a tier.
type TierEvidence struct {
	Tier            string
	Messages, Bytes uint64
	Reach           *compare.Reach // how far it is counted; nil: nobody says
	Sources         []SourceEvidence
}

// SourceEvidence is what is known of a window at one source, or at all application
// instances of a tier where their records cannot be had.
type SourceEvidence struct {
	Datacenter, Cluster string
	Partition           *int32 // nil: it is an application instance
	Instance            string
	Messages, Bytes     uint64
	First, Last         int64           // offsets; -1 where there are none
	Records             []*audit.Record // one for each generation and segment
	Progress            *Progress       // who counts it, and how far; nil: nobody says, or it is an instance
	Client              *Instance       // nil: it is a partition
}

// Why composes the evidence. It is pure.
func Why(e *Evidence) *Explanation {
	x := &Explanation{Topic: e.Topic, Verdict: e.Verdict}
	var judgements []Judgement
	if e.Verdict != nil {
		judgements = append(judgements, JudgementOf(e.Verdict))
	}
	c := CompletenessOf(e.Topic, e.Standing, judgements, Span{From: e.Window.Start, To: e.Window.End(), Whole: true, Threshold: 1, Now: e.Now.Unix(), Known: e.Known})
	x.Pipeline, x.Held = c.Pipeline, c.Held
	if len(c.Windows) > 0 {
		x.WindowCompleteness = c.Windows[0]
	} else {
		x.WindowCompleteness = WindowCompleteness{State: compare.Provisional, Kind: compare.Unknown, Ratio: -1, Empty: e.Verdict == nil}
	}
	x.Window = e.Window
	x.Tiers = e.tiers()
	for i := range e.Missed {
		if m := &e.Missed[i]; touches(m, e.Window) {
			x.Missed = append(x.Missed, *m)
		}
	}
	for i := range e.Instances {
		if e.Instances[i].State(e.Now) == Silent {
			x.Silent = append(x.Silent, e.Instances[i])
		}
	}
	x.Sentences, x.Changes = x.say(e), x.changes(e)
	return x
}

// touches says whether messages of a range may be of a window, as far as that is known.
func touches(m *Missed, w audit.Window) bool {
	until := m.Until
	if until == 0 {
		until = m.AsOf.UnixMilli()
	}
	return m.Since < w.End()*1000 && until >= w.Start*1000
}

// tiers gathers what is known by tier: first those of the pipeline, then others by name.
func (e *Evidence) tiers() []TierEvidence {
	var names, others []string
	known := func(tier string) {
		if !slices.Contains(names, tier) {
			others = append(others, tier)
		}
	}
	if e.Standing != nil {
		for i := range e.Standing.Tiers {
			names = append(names, e.Standing.Tiers[i].Tier)
		}
	}
	for i := range e.Rows {
		known(e.Rows[i].Tier)
	}
	for i := range e.Progress {
		known(e.Progress[i].Tier)
	}
	for i := range e.Instances {
		known(e.Instances[i].Tier)
	}
	slices.Sort(others)
	var list []TierEvidence
	for _, name := range append(names, slices.Compact(others)...) {
		t := TierEvidence{Tier: name, Sources: e.sources(name)}
		for i := range t.Sources {
			t.Messages += t.Sources[i].Messages
			t.Bytes += t.Sources[i].Bytes
		}
		if e.Standing != nil {
			if i := slices.IndexFunc(e.Standing.Tiers, func(r compare.Reach) bool { return r.Tier == name }); i >= 0 {
				t.Reach = &e.Standing.Tiers[i]
			}
		}
		if t.Reach != nil || len(t.Sources) > 0 {
			list = append(list, t)
		}
	}
	return list
}

// sources gathers what is known of a tier by source: of those that have counted something
// in the window, and of those of which somebody says how far they are counted.
func (e *Evidence) sources(tier string) []SourceEvidence {
	type key struct {
		datacenter, cluster, instance string
		partition                     int32
	}
	by := map[key]*SourceEvidence{}
	at := func(k key) *SourceEvidence {
		s := by[k]
		if s == nil {
			s = &SourceEvidence{Datacenter: k.datacenter, Cluster: k.cluster, Instance: k.instance, First: -1, Last: -1}
			if k.partition != audit.NoPartition {
				s.Partition = &k.partition
			}
			by[k] = s
		}
		return s
	}
	for i := range e.Rows {
		if r := &e.Rows[i]; r.Tier == tier && len(e.Records) == 0 {
			s := at(key{r.Datacenter, r.Cluster, "", partitionOf(*r)})
			s.add(r.Count, r.Bytes, r.First, r.Last)
		}
	}
	for _, r := range e.Records {
		if r.Tier == tier {
			s := at(key{r.Datacenter, r.Cluster, r.Instance, r.Partition})
			s.add(r.Tally.Count, r.Tally.Bytes, r.Tally.First, r.Tally.Last)
			s.Records = append(s.Records, r)
		}
	}
	for i := range e.Progress {
		if p := &e.Progress[i]; p.Tier == tier {
			s := at(key{p.Datacenter, p.Source.Cluster, "", p.Source.Partition})
			if s.Progress == nil || p.AsOf.After(s.Progress.AsOf) { // of a topic that was made anew
				s.Progress = p
			}
		}
	}
	for i := range e.Instances {
		p := &e.Instances[i]
		k := key{p.Datacenter, "", p.Instance, audit.NoPartition}
		if p.Tier == tier && (by[k] != nil || p.State(e.Now) != Ended) {
			at(k).Client = p
		}
	}
	list := make([]SourceEvidence, 0, len(by))
	for _, s := range by {
		list = append(list, *s)
	}
	slices.SortFunc(list, func(a, b SourceEvidence) int {
		return cmp.Or(cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.number(), b.number()), cmp.Compare(a.Instance, b.Instance))
	})
	return list
}

func (s *SourceEvidence) add(messages, bytes uint64, first, last int64) {
	s.Messages += messages
	s.Bytes += bytes
	if first >= 0 && (s.First < 0 || first < s.First) {
		s.First = first
	}
	s.Last = max(s.Last, last)
}

func (s *SourceEvidence) number() int32 {
	if s.Partition == nil {
		return audit.NoPartition
	}
	return *s.Partition
}
