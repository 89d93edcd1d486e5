package main

import (
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
)

// checkHop holds what is said of a hop against what is so.
func (x *stream) checkHop(hop int, w, moment int64, t *truth, got *tell, doubtful bool) (kind, wrong string) {
	lateOr := got.missing
	missing, bound := uint64(0), compare.Exactly
	for _, f := range []*compare.Finding{got.missing, got.behind} {
		if f != nil {
			missing += f.Messages
			if f.Bound != compare.Exactly {
				bound = f.Bound
			}
			lateOr = f
		}
	}
	if got.behind != nil && moment > w+x.s.size+x.s.late+120_000 {
		return wrongName, "called late, and it is too late for that"
	}
	if got.behind != nil && !x.mayBeBehind(hop, w, moment, got.behind) {
		return wrongName, "called late, and the tier has come to later windows"
	}
	unanswered := uint64(0)
	for id, n := range t.extra {
		if t.unanswered[id] > 0 {
			unanswered += uint64(n)
		}
	}
	extra := t.nExtra - unanswered
	// What can be known: all of it if few messages differ; else what is altered, if few are
	// lost and doubled; else the numbers.
	few := t.distinct() <= compare.MostNamed
	told := len(t.lost)+len(t.extra) <= compare.MostNamed
	compacted := x.compacted && hop == len(x.planned)-2

	one := func(f *compare.Finding, n uint64, is, least uint64, b compare.Bound, what string) (string, string) {
		switch {
		case f != nil && compacted && f.Explained:
			return "", ""
		case f != nil && is == 0:
			return falseFinding, fmt.Sprintf("%d %s, and none are", n, what)
		case f == nil && least > 0 && !doubtful && !compacted:
			return missedFault, fmt.Sprintf("%d are %s, and that is not said", is, what)
		case f == nil:
			return "", ""
		case n > is:
			return wrongNumber, fmt.Sprintf("%d %s, and %d are", n, what, is)
		case doubtful || compacted:
			return "", ""
		case b == compare.Exactly && n != is:
			return wrongNumber, fmt.Sprintf("exactly %d %s, and %d are", n, what, is)
		case n < least:
			return wrongNumber, fmt.Sprintf("at least %d %s; %d are, and %d can be known", n, what, is, least)
		case few && b != compare.Exactly && len(x.s.tiers[hop].places) > 0:
			return wrongNumber, fmt.Sprintf("at least %d %s, and it can be known exactly", n, what)
		}
		return "", ""
	}
	leastLost, leastExtra, leastAltered := t.nLost, extra, t.nAltered
	switch {
	case few:
	case told:
		leastAltered = min(t.nAltered, 1)
	default:
		leastAltered = 0
		leastLost, leastExtra = t.nLost-min(t.nLost, t.nExtra), t.nExtra-min(t.nExtra, t.nLost)
		leastExtra -= min(leastExtra, unanswered)
		if t.nLost == t.nExtra && t.nLost > 0 && unanswered == 0 {
			leastLost, leastExtra = 1, 1
		}
	}
	if kind, wrong = one(lateOr, missing, t.nLost, leastLost, bound, "missing"); wrong != "" {
		return kind, wrong
	}
	if kind, wrong = one(got.altered, number(got.altered), t.nAltered, leastAltered, boundOf(got.altered), "altered"); wrong != "" {
		return kind, wrong
	}
	if kind, wrong = one(got.duplicated, number(got.duplicated), extra, leastExtra, boundOf(got.duplicated), "duplicated"); wrong != "" {
		return kind, wrong
	}
	switch hidden := !few && t.nLost > 0 && t.nExtra > t.nLost && got.missing == nil && got.behind == nil; {
	case got.unnamed != nil && (few || t.nExtra <= t.nLost):
		return falseFinding, "it is said that some may be missing among those too many, and all can be told"
	case hidden && got.unnamed == nil && !doubtful && !compacted && t.distinct() > 2*compare.MostNamed:
		return missedFault, fmt.Sprintf("%d are missing behind %d too many, and that they may be is not said", t.nLost, t.nExtra)
	}
	if f := got.unacknowledged; few && !doubtful {
		if n := number(f); n != unanswered {
			return wrongNumber, fmt.Sprintf("at most %d unanswered have come, and %d have", n, unanswered)
		}
	}
	if x.explained[hop] != "" && got.missing != nil && !got.missing.Explained {
		return falseFinding, "it is expected, and not explained"
	}
	if compacted {
		return "", ""
	}
	if kind, wrong = x.checkNames(t, got, few && !doubtful); wrong != "" {
		return kind, wrong
	}
	return x.checkPlaces(hop, w, moment, got)
}

func number(f *compare.Finding) uint64 {
	if f == nil {
		return 0
	}
	return f.Messages
}

func boundOf(f *compare.Finding) compare.Bound {
	if f == nil {
		return compare.Exactly
	}
	return f.Bound
}

// kept says whether messages keep their partition at a hop: because they are to, or because
// their keys say so at both tiers.
func (x *stream) kept(hop int) bool {
	return x.keep || !x.scattered && x.grownAt == 0 && x.partitions[hop] == x.partitions[hop+1]
}

// mayBeBehind says whether the second tier, or those of its partitions where messages are
// missing, have nothing of later windows.
func (x *stream) mayBeBehind(hop int, w, moment int64, f *compare.Finding) bool {
	end := w + x.s.size
	newer := func(tier, partition int) bool {
		return slices.ContainsFunc(x.planned[tier], func(l *landing) bool {
			return l.at > 0 && l.at <= moment-15_000 && l.m.event >= end && (partition < 0 || l.partition == partition)
		})
	}
	if !newer(hop+1, -1) {
		return true
	}
	for p := range 64 {
		if x.kept(hop) && !newer(hop+1, p) && x.truthOf(hop, w, moment, p).nLost > 0 {
			return true
		}
	}
	return false
}

// checkNames sees whether messages that are named are those that it befell.
func (x *stream) checkNames(t *truth, got *tell, all bool) (kind, wrong string) {
	news := map[uint64]bool{}
	for _, id := range t.altered {
		news[id] = true
	}
	for _, c := range []struct {
		f    *compare.Finding
		want map[uint64]int
		sign int
	}{{got.missing, t.lost, -1}, {got.behind, t.lost, -1}, {got.duplicated, t.extra, 1}} {
		if c.f == nil {
			continue
		}
		named := map[uint64]int{}
		for _, id := range c.f.IDs {
			named[id.ID] += int(id.Times) * c.sign
		}
		for _, id := range c.f.IDs {
			_, old := t.altered[id.ID]
			if c.want[id.ID] != named[id.ID] && !(c.sign < 0 && old) && !(c.sign > 0 && news[id.ID]) {
				return wrongName, fmt.Sprintf("%s names %d (%d times), and it did not befall it (%d)", c.f.Kind, id.ID, id.Times, c.want[id.ID])
			}
		}
		if all && len(t.unanswered) == 0 && (got.behind == nil || got.missing == nil) {
			for id := range c.want {
				if named[id] == 0 {
					return wrongName, fmt.Sprintf("%s does not name %d", c.f.Kind, id)
				}
			}
		}
	}
	if f := got.altered; f != nil {
		named := map[uint64]bool{}
		for _, id := range f.IDs {
			named[id.ID] = true
			_, old := t.altered[id.ID]
			if !old && !news[id.ID] && t.lost[id.ID] == 0 && t.extra[id.ID] == 0 {
				return wrongName, fmt.Sprintf("altered names %d, and it did not befall it", id.ID)
			}
		}
		for old, id := range t.altered {
			if all && (!named[old] || !named[id]) {
				return wrongName, fmt.Sprintf("altered does not name %d or %d", old, id)
			}
		}
	}
	return "", ""
}

// checkPlaces sees whether messages are where they are said to be.
func (x *stream) checkPlaces(hop int, w, moment int64, got *tell) (kind, wrong string) {
	for _, f := range []*compare.Finding{got.missing, got.altered, got.duplicated} {
		if f == nil {
			continue
		}
		sum := uint64(0)
		for i := range f.Places {
			p := &f.Places[i]
			if p.Partition == nil || p.Messages == 0 {
				continue
			}
			sum += p.Messages
			t := x.truthOf(hop, w, moment, int(*p.Partition))
			is := map[compare.Kind]uint64{compare.Missing: t.nLost, compare.Altered: t.nAltered, compare.Duplicated: t.nExtra}[f.Kind]
			if x.keep && p.Messages > is {
				return wrongName, fmt.Sprintf("%d %s in partition %d, and %d are", p.Messages, f.Kind, *p.Partition, is)
			}
			if x.scattered && p.Messages > is && f.Kind != compare.Altered && t.distinct() > 0 {
				return wrongName, fmt.Sprintf("messages go to any partition, and it is said that %d are %s in partition %d", p.Messages, f.Kind, *p.Partition)
			}
		}
		if sum > f.Messages && f.Bound == compare.Exactly && got.behind == nil {
			return wrongNumber, fmt.Sprintf("%d %s, and in all places %d", f.Messages, f.Kind, sum)
		}
	}
	return "", ""
}
