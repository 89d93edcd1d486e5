package judge

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
)

// standStill is for how long a tier may not move on before its standing names what holds
// it up.
const standStill = unknownAfter

// stand says how the topic stands, if that is new.
func (t *topic) stand(until, offset int64) {
	j := t.j
	t.looked = j.now
	s := &compare.Standing{Topic: t.name, Pipeline: t.line.Name, Size: j.o.Size, Since: t.since, Digest: j.o.Plan.Digest()}
	if settled := until - t.line.Grace.Milliseconds(); until > 0 {
		s.Until = settled / 1000 / s.Size * s.Size
	}
	if old := t.said; old != nil && old.Digest == s.Digest { // else other tiers may have been meant
		s.Until = max(s.Until, old.Until)
	}
	for w := range t.unrest {
		if !w.settled && w.End() <= s.Until {
			s.Until = min(s.Until, w.Start)
		}
	}
	held := slices.DeleteFunc(t.before(), func(x *tier) bool { return x.until() >= j.now-standStill.Milliseconds() })
	for _, x := range append(held, t.active()...) {
		r := compare.Reach{Tier: x.name, Until: x.until(), Newest: x.newest}
		if still := j.now - standStill.Milliseconds(); r.Until < still && j.now >= j.warm {
			r.Holds = x.holds(still)
		}
		s.Tiers = append(s.Tiers, r)
	}
	for _, x := range t.tiers {
		s.Doubts = append(s.Doubts, x.spans()...)
	}
	if t.since == 0 || t.said != nil && !t.moved(s) {
		return
	}
	s.Version, s.Judged = offset, j.now
	if t.said != nil && s.Version <= t.said.Version {
		return // the next look says it
	}
	t.said = s
	j.standings = append(j.standings, s)
}

// moved says whether a standing says something new: tiers are counted further at every
// moment, and that by itself is not.
func (t *topic) moved(s *compare.Standing) bool {
	old := t.said
	if t.j.now-old.Judged > t.j.o.Horizon.Milliseconds()/4 { // else it would be forgotten
		return true
	}
	if !slices.EqualFunc(old.Doubts, s.Doubts, func(a, b compare.Span) bool { return a.Key == b.Key && a.From == b.From && a.To == b.To }) {
		return true
	}
	if old.Until != s.Until || old.Digest != s.Digest || old.Pipeline != s.Pipeline || len(old.Tiers) != len(s.Tiers) {
		return true
	}
	for i := range s.Tiers {
		a, b := &old.Tiers[i], &s.Tiers[i]
		if a.Tier != b.Tier || len(a.Holds) != len(b.Holds) {
			return true
		}
		for k := range a.Holds {
			x, y := a.Holds[k], b.Holds[k]
			x.Until, y.Until = 0, 0
			if !reflect.DeepEqual(x, y) {
				return true
			}
		}
	}
	return false
}

// load takes what an earlier session has said.
func (t *topic) load(s *compare.Standing) {
	t.said, t.since, t.heard = s, s.Since, max(t.heard, s.Judged)
	if s.Digest != t.j.o.Plan.Digest() {
		return // its tiers may have been others
	}
	for i := range s.Tiers {
		if x := t.tier(s.Tiers[i].Tier); x != nil {
			x.floor = max(x.floor, s.Tiers[i].Until)
			x.newest = max(x.newest, s.Tiers[i].Newest)
		}
	}
	for _, d := range s.Doubts {
		if x := t.tier(d.Tier); x != nil && x.doubts[d.Key].Key == "" {
			x.doubts[d.Key] = d
		}
	}
}

// mostSpans bounds the doubts of a tier in a standing.
const mostSpans = 50

// spans are the doubts of a tier, the newest first. Where they are too many the oldest are
// one that covers all of them.
func (x *tier) spans() (list []compare.Span) {
	for _, key := range sortedKeys(x.doubts) {
		list = append(list, x.doubts[key])
	}
	slices.SortStableFunc(list, func(a, b compare.Span) int { return cmp.Compare(b.To, a.To) })
	if len(list) <= mostSpans {
		return list
	}
	rest := list[mostSpans-1]
	for _, s := range list[mostSpans:] {
		rest.From, rest.To = min(rest.From, s.From), max(rest.To, s.To)
	}
	rest.Key, rest.Messages, rest.Bound, rest.Place = "others/"+x.name, 0, compare.Unbounded, compare.Place{First: -1, Last: -1}
	return append(list[:mostSpans-1], rest)
}
