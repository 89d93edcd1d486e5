package alerts

import (
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A hit is what a rule has found of one topic: in a window, or as it stands.
type hit struct {
	rule *rule
	query.Cause
	topic    string
	window   audit.Window
	counted  bool // the window is one that is bad, and not only where to look
	messages uint64
	bound    compare.Bound
	began    int64 // Unix milliseconds, by the log
	until    int64 // when it is too long ago, likewise; 0: it does not get old
	says     string
	tiers    []compare.Count // of the window
	muted    string
}

// hits are everything that rules find.
func (r *Rules) hits(s *Snapshot, now int64) []*hit {
	f := &finder{r: r, asOf: s.AsOf, now: now, recent: s.Recent}
	standings := map[string]*compare.Standing{}
	for _, x := range s.Standings {
		standings[x.Topic] = x
		f.begin(x.Topic)
		f.standing(x)
	}
	for list := s.Verdicts; len(list) > 0; {
		n := slices.IndexFunc(list, func(v *compare.Verdict) bool { return v.Topic != list[0].Topic })
		if n < 0 {
			n = len(list)
		}
		f.begin(list[0].Topic)
		for _, v := range list[:n] {
			f.facts(v)
		}
		f.current(list[:n], standings[list[0].Topic])
		list = list[n:]
	}
	f.stalled(s)
	return f.found
}

// finder goes through a snapshot, topic by topic.
type finder struct {
	r         *Rules
	asOf, now int64
	recent    int64 // Snapshot.Recent
	topic     string
	class     string
	rules     []*rule // about the topic
	found     []*hit
}

func (f *finder) begin(topic string) {
	if f.topic == topic && topic != "" {
		return
	}
	f.topic, f.class, f.rules = topic, f.r.ClassOf(topic), f.rules[:0]
	for _, x := range f.r.rules {
		if f.r.mode(x) != Off && x.about(topic, f.class) {
			f.rules = append(f.rules, x)
		}
	}
}

func (f *finder) add(h *hit) {
	h.topic = f.topic
	h.muted = f.r.muted(h, f.class, f.now)
	f.found = append(f.found, h)
}

// facts are what a verdict says of its window. Of messages that are missing, altered or
// duplicated nothing is said before the window is settled: they may be on their way.
func (f *finder) facts(v *compare.Verdict) {
	if v.State == compare.Open || len(v.Findings) == 0 || f.old(v) {
		return
	}
	for i := range v.Findings {
		x := &v.Findings[i]
		if x.Explained || x.Kind == compare.Complete {
			continue
		}
		waits := x.Kind == compare.Unknown || x.Kind == compare.Late
		if !waits && !v.State.Settled() {
			continue
		}
		for _, rule := range f.rules {
			if rule.Subject == Subject(x.Kind) && rule.aboutTier(x.To) && rule.aboutReason(x.Reason) && rule.exceeded(x, v) {
				h := &hit{rule: rule, Cause: causeOf(v, x), window: v.Window(), counted: true,
					messages: x.Messages, bound: x.Bound, began: v.Final, says: x.Sentence(), tiers: v.Tiers}
				if v.State.Settled() {
					h.until = f.until(v)
				}
				if waits || h.began == 0 {
					h.began = v.Window().End() * 1000
				}
				f.add(h)
			}
		}
	}
}

// old says whether a verdict was settled too long ago to be news. One that is not
// settled is never old.
func (f *finder) old(v *compare.Verdict) bool { return v.State.Settled() && f.until(v) < f.asOf }

func (f *finder) until(v *compare.Verdict) int64 {
	at := max(v.Window().End()*1000, v.Final)
	if v.State == compare.Amended {
		at = max(at, v.Judged)
	}
	return at + f.r.c.Span.Milliseconds()
}

// exceeded says whether a finding is more than a rule lets pass. What nobody can count
// may be any number.
func (x *rule) exceeded(f *compare.Finding, v *compare.Verdict) bool {
	if f.Bound == compare.Unbounded {
		return true
	}
	of := countOf(v, f.From)
	if of == nil {
		of = countOf(v, f.To)
	}
	return f.Messages > x.Messages && (of == nil || float64(f.Messages) > x.Ratio*float64(of.Messages))
}

func countOf(v *compare.Verdict, tier string) *compare.Count {
	for i := range v.Tiers {
		if v.Tiers[i].Tier == tier {
			return &v.Tiers[i]
		}
	}
	return nil
}

// causeOf a finding. How much is known of the messages is no cause: one failure makes
// findings of which some can be named and others cannot.
func causeOf(v *compare.Verdict, f *compare.Finding) query.Cause {
	c := query.Cause{From: f.From, To: f.To, Subject: string(f.Kind), Reason: f.Reason}
	if f.From != "" || f.To == "" {
		c.Pipeline = v.Pipeline // what is about one tier alone is so in all pipelines
	}
	if f.Reason == compare.Unnamed || f.Reason == compare.CountsOnly {
		c.Reason = ""
	}
	c.Cluster, c.Datacenter = agreed(f.Places, func(p *compare.Place) *compare.Place { return p })
	return c
}

// agreed are the cluster and the datacenter that all places have which know theirs.
func agreed[T any](list []T, place func(*T) *compare.Place) (cluster, datacenter string) {
	return same(list, func(x *T) string { return place(x).Cluster }), same(list, func(x *T) string { return place(x).Datacenter })
}

// same is the one value that is not empty, empty if there are several.
func same[T any](list []T, of func(*T) string) (one string) {
	for i := range list {
		switch s := of(&list[i]); {
		case s == "" || s == one:
		case one == "":
			one = s
		default:
			return ""
		}
	}
	return one
}
