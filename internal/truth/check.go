package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chaperone-audit/chaperone/compare"
)

// truth is what is so between two tiers, in a window, at a moment: by what came to them,
// and not by what anybody counted.
type truth struct {
	lost, extra map[uint64]int // by id
	altered     map[uint64]uint64
	nLost       uint64
	nExtra      uint64
	nAltered    uint64
	from, to    uint64 // messages
	unanswered  map[uint64]int
}

func (t *truth) none() bool    { return t.nLost|t.nExtra|t.nAltered == 0 }
func (t *truth) distinct() int { return len(t.lost) + len(t.extra) + 2*len(t.altered) }

// at gives the landings of a window that had come to a tier at a moment.
func (x *stream) at(tier int, window, moment int64) (list []*landing) {
	for _, l := range x.planned[tier] {
		if l.at > 0 && l.at <= moment && l.m.event >= window && l.m.event < window+x.s.size {
			list = append(list, l)
		}
	}
	return list
}

func answered(list []*landing) []*landing {
	return slices.DeleteFunc(list, func(l *landing) bool { return l.m.unanswered })
}

// truthOf a hop. Partition is that of the tier before and after, where messages keep it;
// -1 is all.
func (x *stream) truthOf(hop int, window, moment int64, partition int) *truth {
	t := &truth{lost: map[uint64]int{}, extra: map[uint64]int{}, altered: map[uint64]uint64{}, unanswered: map[uint64]int{}}
	from, to := x.at(hop, window, moment), x.at(hop+1, window, moment)
	if x.s.tiers[hop].client() {
		for _, l := range from {
			if l.m.unanswered {
				t.unanswered[l.id]++
			}
		}
		from = answered(from)
	}
	for _, l := range from {
		if partition < 0 || l.partition == partition {
			t.lost[l.id]++
			t.from++
		}
	}
	was := map[uint64]uint64{}
	for _, l := range to {
		if partition >= 0 && l.partition != partition {
			continue
		}
		t.to++
		if l.was != 0 {
			was[l.id] = l.was
		}
		if t.lost[l.id]--; t.lost[l.id] < 0 {
			t.extra[l.id]++
			t.lost[l.id] = 0
		}
	}
	for id, n := range t.lost {
		if n == 0 {
			delete(t.lost, id)
		}
	}
	for id, old := range was {
		if t.extra[id] > 0 && t.lost[old] > 0 { // each is altered once
			t.altered[old] = id
			t.nAltered++
			decrement(t.extra, id)
			decrement(t.lost, old)
		}
	}
	for _, n := range t.lost {
		t.nLost += uint64(n)
	}
	for _, n := range t.extra {
		t.nExtra += uint64(n)
	}
	return t
}

func decrement(m map[uint64]int, id uint64) {
	if m[id]--; m[id] == 0 {
		delete(m, id)
	}
}

// checkAll holds what was said against what is so.
func (s *story) checkAll() {
	for _, x := range s.lines {
		windows := map[int64]bool{}
		for tier := range x.planned {
			for _, l := range x.planned[tier] {
				if l.at > 0 {
					windows[l.m.event/s.size*s.size] = true
				}
			}
		}
		for start := range x.verdicts {
			windows[start*1000] = true
		}
		for w := s.begin; w < s.end+s.size; w += s.size {
			if windows[w] {
				s.windows++
				x.checkWindow(w)
			}
			delete(windows, w)
		}
		for w := range windows {
			if len(x.verdicts[w/1000]) > 0 && !x.doubts(w, "") {
				s.fail(falseFinding, "%s %s: there is a verdict, and nothing has happened in it: %s", x.name, clock(w), said(x.verdicts[w/1000][0]))
			}
		}
	}
}

func (x *stream) checkWindow(w int64) {
	s := x.s
	list := x.verdicts[w/1000]
	s.verdicts += len(list)
	threshold := w + s.size + s.grace
	var first *compare.Verdict
	for i, v := range list {
		if i > 0 {
			old := list[i-1]
			if v.Version < old.Version || v.Version == old.Version && said(v) != said(old) || order(v.State) < order(old.State) && v.Version > old.Version {
				if !x.repeated(list[:i], v) {
					s.fail(wrongOrder, "%s %s: %s version %d after %s version %d", x.name, clock(w), said(v), v.Version, said(old), old.Version)
				}
			}
			if old.Final != 0 && v.Final != old.Final {
				s.fail(wrongOrder, "%s %s: final at %s, and then at %s", x.name, clock(w), clock(old.Final), clock(v.Final))
			}
		}
		if !v.State.Settled() {
			x.checkProvisional(w, v)
			continue
		}
		s.settled++
		if first == nil {
			first = v
			x.checkTime(w, threshold, v)
		}
		if kind, p := x.check(w, v, v.Judged); p != "" {
			ok := false
			for _, c := range x.changes { // what came just now may not be judged yet
				if c <= v.Judged && v.Judged-c < 3*s.grace {
					_, q := x.check(w, v, c-1)
					ok = ok || q == ""
				}
			}
			if !ok {
				s.fail(kind, "%s (%s) %s: %s: %s", x.name, x.role, clock(w), p, said(v))
			}
		}
	}
	switch {
	case first == nil:
		last := "nothing"
		if len(list) > 0 {
			last = said(list[len(list)-1])
		}
		s.fail(notSettled, "%s (%s) %s is never settled; said last: %s", x.name, x.role, clock(w), last)
	default:
		last := list[len(list)-1]
		if kind, p := x.check(w, last, s.w.Clock()); p != "" {
			s.fail(kind, "%s (%s) %s, in the end: %s: %s", x.name, x.role, clock(w), p, said(last))
		}
	}
}

// checkStanding sees that windows up to where all is said to be settled are: by a verdict,
// or because nothing has happened in them.
func (x *stream) checkStanding(st *compare.Standing) {
	s := x.s
	if old := x.standing; old != nil && st.Version > old.Version && st.Until < old.Until {
		s.fail(wrongOrder, "%s: settled up to %s, and then up to %s", x.name, clock(old.Until*1000), clock(st.Until*1000))
	}
	if x.standing != nil && st.Version <= x.standing.Version {
		return // said again, by one that has read less
	}
	x.standing = st
	for w := max(s.begin, st.Since*1000); w+s.size <= st.Until*1000; w += s.size {
		list := x.verdicts[w/1000]
		if slices.ContainsFunc(list, func(v *compare.Verdict) bool { return v.State.Settled() }) {
			continue
		}
		for tier := range x.planned {
			if n := len(x.at(tier, w, w+s.size+s.grace)); n > 0 && !(s.tiers[tier].client() && len(answered(x.at(tier, w, w+s.size+s.grace))) == 0) {
				s.fail(falseComplete, "%s (%s) %s: no verdict settles it, %s has %d messages, and at %s all up to %s is said to be settled", x.name, x.role, clock(w), s.tiers[tier].name, n, clock(st.Judged), clock(st.Until*1000))
				return
			}
		}
	}
}

// repeated says whether a verdict is one that was stored before: a session that crashed
// had stored it, and the next one says it again.
func (x *stream) repeated(before []*compare.Verdict, v *compare.Verdict) bool {
	return slices.ContainsFunc(before, func(o *compare.Verdict) bool { return o.Version == v.Version && said(o) == said(v) })
}

func order(st compare.State) int {
	return slices.Index([]compare.State{compare.Open, compare.Provisional, compare.Final, compare.Amended}, st)
}

// checkTime sees when the window was settled: who collects late says only what came last.
func (x *stream) checkTime(w, threshold int64, v *compare.Verdict) {
	s := x.s
	if v.Final < threshold {
		s.fail(wrongOrder, "%s %s: settled at %s, before its grace has ended", x.name, clock(w), clock(v.Final))
	}
	clear := true
	for _, d := range slices.Concat(s.downs, x.downs) {
		if threshold > d.from && v.Final > d.from && v.Final < d.to {
			s.fail(wrongOrder, "%s (%s) %s: settled at %s, while nobody can know (%s to %s): %s", x.name, x.role, clock(w), clock(v.Final), clock(d.from), clock(d.to), said(v))
		}
		if threshold > d.from-10_000 && threshold < d.to+10_000 || threshold <= d.from && v.Final >= d.from {
			clear = false
		}
	}
	if clear {
		if v.Final-threshold > slowest {
			s.fail(tooSlow, "%s (%s) %s: settled at %s, and everything ran: %s", x.name, x.role, clock(w), clock(v.Final), said(v))
		}
		s.found = append(s.found, float64(v.Final-threshold)/1000)
	}
}

// slowest is how long after its grace a window is settled at most where everything runs,
// milliseconds: an instance says how far it is every 10 s where nothing changes, and only
// the one after says that all before it is counted; and time here goes in steps of 5 s.
const slowest = 30_000

// doubts says whether the window may be unknown at a tier.
func (x *stream) doubts(w int64, reason compare.Reason) bool {
	for i := range x.doubtful {
		d := &x.doubtful[i]
		if w+x.s.size+x.s.grace > d.from && w <= d.to && (reason == "" || slices.Contains(d.reasons, reason)) {
			return true
		}
	}
	return false
}

func (x *stream) mustDoubt(w int64) bool {
	return slices.ContainsFunc(x.doubtful, func(d doubtful) bool { return d.must[w] })
}

// tell is what a verdict says of a hop.
type tell struct {
	missing, behind, altered, duplicated, unacknowledged, unnamed *compare.Finding
}

func (x *stream) tells(v *compare.Verdict, hop int) (t tell, explained []*compare.Finding) {
	from, to := x.s.tiers[hop].name, x.s.tiers[hop+1].name
	for i := range v.Findings {
		f := &v.Findings[i]
		if f.From != from || f.To != to {
			continue
		}
		if f.Explained {
			explained = append(explained, f)
		}
		switch {
		case f.Kind == compare.Missing:
			t.missing = f
		case f.Kind == compare.Late && f.Reason == compare.Behind:
			t.behind = f
		case f.Kind == compare.Altered:
			t.altered = f
		case f.Kind == compare.Duplicated:
			t.duplicated = f
		case f.Kind == compare.Unknown && f.Reason == compare.Unacknowledged:
			t.unacknowledged = f
		case f.Kind == compare.Unknown && f.Reason == compare.Unnamed:
			t.unnamed = f
		}
	}
	return t, explained
}

// check says what is wrong with a settled verdict, if that was so at a moment.
func (x *stream) check(w int64, v *compare.Verdict, moment int64) (kind, wrong string) {
	s := x.s
	doubtful := x.doubts(w, "")
	untrue, unexplained := false, false
	for i := range v.Findings {
		f := &v.Findings[i]
		switch {
		case f.Kind == compare.Unknown && f.Reason == compare.Unacknowledged, f.Kind == compare.Late && f.Reason == compare.Behind:
		case f.Kind == compare.Unknown && f.Reason == compare.Unnamed: // see checkHop
		case f.Kind == compare.Unknown && !x.doubts(w, f.Reason):
			return falseFinding, fmt.Sprintf("it is said to be unknown (%s), and it is not", f.Reason)
		case f.Kind == compare.Late && f.Reason == compare.Shifted:
			return falseFinding, "said to be shifted"
		}
	}
	if x.mustDoubt(w) && v.Kind == compare.Complete {
		return falseComplete, "messages were not counted"
	}
	for hop := range len(s.tiers) - 1 {
		t := x.truthOf(hop, w, moment, -1)
		got, _ := x.tells(v, hop)
		if !t.none() {
			untrue = true
			if x.explained[hop] == "" && !(x.compacted && hop == len(s.tiers)-2) {
				unexplained = true
			}
		}
		if kind, wrong := x.checkHop(hop, w, moment, t, &got, doubtful); wrong != "" {
			return kind, fmt.Sprintf("%s to %s: %s", s.tiers[hop].name, s.tiers[hop+1].name, wrong)
		}
	}
	if kind, wrong := x.checkArrived(w, v, moment); wrong != "" {
		return kind, wrong
	}
	if !doubtful && !x.compacted {
		for i, c := range v.Tiers {
			list := x.at(i, w, moment)
			if s.tiers[i].client() {
				list = answered(list)
			}
			if c.Messages != uint64(len(list)) {
				return wrongNumber, fmt.Sprintf("%s has %d messages, said are %d", c.Tier, len(list), c.Messages)
			}
		}
	}
	if untrue && unexplained && v.Kind == compare.Complete {
		return falseComplete, "it is not complete"
	}
	return "", ""
}

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

// checkArrived sees what is said to have come after the window was final.
func (x *stream) checkArrived(w int64, v *compare.Verdict, moment int64) (kind, wrong string) {
	if x.doubts(w, "") || x.compacted {
		return "", ""
	}
	said := map[string]uint64{}
	for i := range v.Findings {
		if f := &v.Findings[i]; f.Kind == compare.Late && f.Reason == compare.Arrived {
			said[f.To] += f.Messages
		}
	}
	before := 0
	for i, t := range x.s.tiers {
		now, then := x.at(i, w, moment), x.at(i, w, v.Final)
		if t.client() {
			now, then = answered(now), answered(then)
		}
		more := len(now) - len(then)
		want := max(0, more-before)
		if said[t.name] != uint64(want) {
			kind = wrongNumber
			if want == 0 {
				kind = falseFinding
			} else if said[t.name] == 0 {
				kind = missedFault
			}
			return kind, fmt.Sprintf("%d came to %s after the window was final, said are %d", want, t.name, said[t.name])
		}
		before = more
	}
	return "", ""
}

// checkProvisional sees whether a provisional window claims more than is so: what is not
// at a tier at that moment, and passed the one before.
func (x *stream) checkProvisional(w int64, v *compare.Verdict) {
	for hop := range len(x.s.tiers) - 1 {
		got, _ := x.tells(v, hop)
		if got.missing == nil && got.altered == nil && got.duplicated == nil {
			continue
		}
		t := x.truthOf(hop, w, v.Judged, -1)
		if number(got.missing) > t.nLost || number(got.altered) > t.nAltered || number(got.duplicated) > t.nExtra {
			x.s.claims++
			if x.s.claims == 1 {
				x.s.fail(overclaims, "%s (%s) %s at %s: provisional, and %d are missing, %d altered, %d too many: %s", x.name, x.role, clock(w), clock(v.Judged), t.nLost, t.nAltered, t.nExtra, said(v))
			}
		}
	}
}

// said is a verdict in words.
func said(v *compare.Verdict) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s, %s", v.State, clock(v.Judged), v.Kind)
	for _, c := range v.Tiers {
		fmt.Fprintf(&b, ", %s %d", c.Tier, c.Messages)
	}
	for i := range v.Findings {
		fmt.Fprintf(&b, "; %s: %s", v.Findings[i].Kind, v.Findings[i].Sentence())
	}
	return b.String()
}
