package judge

import (
	"maps"
	"reflect"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// window is a window of a topic.
type window struct {
	audit.Window
	topic *topic
	parts []*Part
	said  *compare.Verdict // the newest verdict; nil: there is none

	settled bool  // it is final, or amended
	final   int64 // when it became final
	atFinal map[string]uint64
	late    bool   // something has not come yet
	short   bool   // something is missing, or late: then it matters how far the tiers have come
	reached uint64 // which tiers had come to later windows when it was judged
	rested  bool   // its parts have no latencies any more
	further int64  // when others were first seen to have come to later ones; 0: not since
	changed bool   // since it was judged
	touched int64  // append time of the newest change since it was settled
	first   int64  // ... and of the first that has not been judged
	judged  int64  // when it was judged last

	due   int64
	place int // in the queue; -1: it is not
}

func (t *topic) window(at audit.Window) *window {
	w := t.windows[at]
	if w == nil {
		w = &window{Window: at, topic: t, place: -1}
		t.windows[at] = w
		t.unrest[w] = true
	}
	return w
}

// count takes a newer record of an identity.
func (t *topic) count(r *audit.Record, old *Part, said Said) *Part {
	t.hear(said)
	w := t.window(r.Window)
	p := old
	if p == nil {
		p = &Part{window: w, tier: t.tier(r.Tier)}
		w.parts = append(w.parts, p)
	}
	p.take(r, said)
	if x := p.tier; x != nil {
		x.counts(r, said)
	}
	w.change(said.Appended)
	return p
}

func (w *window) ended() bool { return w.topic.j.now >= w.End()*1000 }

// threshold is the moment up to which tiers have to be counted: the end of the window
// and its grace, and after that a grace for each change.
func (w *window) threshold() int64 {
	return max(w.End()*1000, w.touched) + w.topic.line.Grace.Milliseconds()
}

// reach is which tiers have come to later windows, a bit for each.
func (w *window) reach() (bits uint64) {
	for i, x := range w.topic.active() {
		if x.newest >= w.End() {
			bits |= 1 << (i % 64)
		}
	}
	return bits
}

// moved says whether it is to be judged anew since tiers have come further: what is
// missing may be late, and what was late missing. Partitions come further one by one. What
// is missing is not called late because a message is on its way to the tier.
func (w *window) moved() bool {
	const seldom = 6 * again
	now := w.topic.j.now
	switch {
	case !w.short:
		return false
	case w.late:
		return w.reach() != w.reached || now-w.judged >= seldom.Milliseconds()
	case w.reach() == w.reached:
		w.further = 0
		return false
	case w.further == 0:
		w.further = now
	}
	return now-w.further >= w.topic.line.Grace.Milliseconds()
}

// change notes that something has changed, and when to look at it.
func (w *window) change(appended int64) {
	j := w.topic.j
	w.topic.unrest[w] = true
	if w.settled {
		grace := w.topic.line.Grace.Milliseconds()
		if !w.changed {
			w.first = appended
		}
		// What goes on and on must not put the judgement off for ever.
		w.touched = min(max(w.touched, appended), w.first+3*grace)
		w.changed = true
		j.due.sooner(w, w.touched+grace+again.Milliseconds())
		if w.due < w.threshold() {
			j.due.at(w, w.threshold()+again.Milliseconds())
		}
		return
	}
	w.changed = true
	j.due.sooner(w, max(w.End()*1000, w.judged+again.Milliseconds()))
}

// load takes what an earlier session has said.
func (w *window) load(v *compare.Verdict) {
	w.said = v
	w.settled, w.final, w.atFinal, w.judged = v.State.Settled(), v.Final, v.AtFinal, v.Judged
	w.note(v.Findings)
	w.reached, w.further = ^uint64(0), 1 // long ago, for all that is known
	if w.settled && w.atFinal == nil {
		w.atFinal = byTier(v.Tiers)
	}
}

// loaded sees what has come since the verdict that was loaded.
func (w *window) loaded() {
	v := w.said
	w.changed, w.touched, w.first = v == nil, 0, 0
	for _, p := range w.parts {
		if v != nil && p.offset > v.Version {
			w.change(p.appended)
		}
	}
	switch {
	case v != nil && v.Digest != w.topic.j.o.Plan.Digest():
		w.changed = true
		w.topic.j.due.sooner(w, w.topic.j.warm)
	case w.settled && !w.changed && !w.late:
		w.topic.j.due.at(w, w.judged+restAfter.Milliseconds())
	case w.settled && w.changed:
	default:
		w.topic.j.due.sooner(w, max(w.End()*1000, w.topic.j.now))
	}
}

// judge has the window judged, says the verdict if it is new, and sets when to look again.
func (w *window) judge(offset int64) {
	t := w.topic
	j := t.j
	active := t.active()
	for _, x := range active {
		x.bury(j.now)
	}
	threshold := w.threshold()
	overdue := j.now >= max(threshold+unknownAfter.Milliseconds(), j.warm)
	in := &compare.Input{Pipeline: t.line, Window: w.Window, Now: j.now, AtFinal: w.atFinal,
		Neighbours: func(from, to string) [][2]compare.Sum { return w.neighbours(from, to) }, Kept: t.kept}
	all := len(active) > 0
	sides := slices.DeleteFunc(t.before(), func(x *tier) bool { return x.until() >= threshold }) // it does not pass them
	for _, x := range append(sides, active...) {
		counted := x.until() >= threshold
		all = all && counted
		in.Sides = append(in.Sides, w.side(x, threshold, overdue))
		in.Counted = append(in.Counted, counted)
	}
	if w.settled && !all && (!overdue || !w.changed) {
		w.again(threshold, overdue)
		return // what was said stands until it is known whether the change is all of it
	}
	findings, counts := compare.Judge(in)
	if w.rested && w.said != nil {
		keepLatencies(counts, w.said.Tiers)
	}
	if w.judged = j.now; all || !w.settled { // else it is looked at once more when all is counted
		w.changed, w.touched, w.first = false, 0, 0
	}
	w.note(findings)
	v := &compare.Verdict{Topic: t.name, Start: w.Start, Size: w.Size, Pipeline: t.line.Name, Findings: findings, Tiers: counts, Digest: j.o.Plan.Digest()}
	v.Kind = compare.Gravest(findings)
	w.move(v, all)
	w.again(w.threshold(), overdue)
	w.say(v, offset)
}

// move moves the state on.
func (w *window) move(v *compare.Verdict, counted bool) {
	j := w.topic.j
	switch {
	case !w.ended():
		v.State = compare.Open
	case w.settled && !maps.Equal(byTier(v.Tiers), w.atFinal), w.said != nil && w.said.State == compare.Amended:
		v.State = compare.Amended
	case w.settled:
		v.State = compare.Final
	case counted:
		v.State, w.settled, w.final, w.atFinal = compare.Final, true, j.now, byTier(v.Tiers)
	default:
		v.State = compare.Provisional
	}
	v.Final = w.final
	if v.State == compare.Amended {
		v.AtFinal = w.atFinal
	}
}

// again sets when the window is looked at next by time alone.
func (w *window) again(threshold int64, overdue bool) {
	j := w.topic.j
	late := (w.End() + int64(w.topic.line.LateWithin.Seconds())) * 1000
	switch {
	case w.settled && !w.changed && w.late && late >= j.now:
		j.due.at(w, late+1)
	case w.settled && !w.changed:
		j.due.at(w, w.judged+restAfter.Milliseconds())
	case !w.ended():
		j.due.at(w, w.End()*1000)
	case !overdue:
		j.due.at(w, max(threshold+unknownAfter.Milliseconds(), j.warm))
	default: // the longer it is unknown, the more seldom
		j.due.at(w, j.now+max(unknownAfter.Milliseconds(), (j.now-threshold)/10))
	}
}

// atRest says whether there is nothing to be expected of a window that is due.
func (w *window) atRest() bool {
	return w.settled && !w.changed && !w.late && w.topic.j.now >= w.judged+restAfter.Milliseconds()
}

// rest lets go of latencies. Should the window change after that, its percentiles stay
// those of before.
func (w *window) rest() {
	w.rested = true
	for _, p := range w.parts {
		p.Latency, p.Arrival = nil, nil
	}
}

// keepLatencies takes the percentiles of a former verdict over.
func keepLatencies(counts, former []compare.Count) {
	for i := range counts {
		for k := range former {
			if former[k].Tier == counts[i].Tier {
				counts[i].Latency, counts[i].Arrival = former[k].Latency, former[k].Arrival
			}
		}
	}
}

// say says a verdict that differs from the one said before.
func (w *window) say(v *compare.Verdict, offset int64) {
	v.Version, v.Judged = offset, w.topic.j.now
	if old := w.said; old != nil {
		same := *old
		same.Version, same.Judged = v.Version, v.Judged
		if reflect.DeepEqual(&same, v) {
			return
		}
		if v.Version <= old.Version { // two of one version would be one for those who read them
			w.topic.j.due.sooner(w, w.topic.j.now+1)
			return
		}
	}
	w.said = v
	w.topic.j.verdicts = append(w.topic.j.verdicts, v)
}

func byTier(counts []compare.Count) map[string]uint64 {
	m := make(map[string]uint64, len(counts))
	for i := range counts {
		m[counts[i].Tier] = counts[i].Messages
	}
	return m
}

// note keeps what of the findings says when to look again.
func (w *window) note(findings []compare.Finding) {
	w.topic.unrest[w] = true
	w.late = slices.ContainsFunc(findings, func(f compare.Finding) bool { return f.Kind == compare.Late && f.Reason == compare.Behind })
	w.short = w.late || slices.ContainsFunc(findings, func(f compare.Finding) bool { return f.Kind == compare.Missing })
	w.reached, w.further = w.reach(), 0
}
