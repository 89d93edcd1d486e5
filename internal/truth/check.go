package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/chaperone-audit/chaperone/compare"
)

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
