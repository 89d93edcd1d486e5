package judge

import (
	"cmp"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// topic is what is known of a topic.
type topic struct {
	j     *Judge
	name  string
	line  *compare.Pipeline
	tiers []*tier // in the order of the pipeline; those of no pipeline by name
	// owners are who has made progress records, by identity: when their newest were
	// appended.
	owners  map[string]*owner
	windows map[audit.Window]*window
	unrest  map[*window]bool // windows that may have to be judged when tiers come further
	keeps   map[[2]string]keeping
	said    *compare.Standing
	since   int64 // start of the window in which it was first heard of, Unix seconds
	heard   int64 // when it was heard of last
	stirred bool  // in Judge.stirred
	looked  int64 // when its standing was last looked at
}

func newTopic(j *Judge, name string) *topic {
	t := &topic{j: j, name: name, line: j.o.Plan.For(name), owners: map[string]*owner{}, windows: map[audit.Window]*window{}, unrest: map[*window]bool{}, keeps: map[[2]string]keeping{}}
	for _, tier := range t.line.Tiers {
		t.tiers = append(t.tiers, newTier(t, tier))
	}
	return t
}

// tier finds a tier; nil if the topic's pipeline does not have it.
func (t *topic) tier(name string) *tier {
	i := slices.IndexFunc(t.tiers, func(x *tier) bool { return x.name == name })
	if i >= 0 {
		return t.tiers[i]
	}
	if len(t.line.Tiers) > 0 {
		return nil
	}
	x := newTier(t, name)
	t.tiers = append(t.tiers, x)
	slices.SortFunc(t.tiers, func(a, b *tier) int { return cmp.Compare(a.name, b.name) })
	return x
}

// hear notes that something was said of the topic.
func (t *topic) hear(said Said) { t.heard = max(t.heard, said.Appended) }

// begin notes that the topic is known from now on: from the window at hand, if all of its
// log is counted, else from the next one.
func (t *topic) begin(said Said, whole bool) {
	if t.since > 0 {
		return
	}
	w := audit.WindowAt(said.Appended, t.j.o.Size)
	if t.since = w.Start; !whole {
		t.since = w.End()
	}
}

// stir has the topic looked at before the next record.
func (t *topic) stir() {
	if !t.stirred {
		t.stirred = true
		t.j.stirred = append(t.j.stirred, t)
	}
}

// active are the tiers that the topic passes. Those before the first that has it are left
// out, if their clusters are said not to have it: it enters the pipeline after them; and so
// are tiers of applications of which none has ever counted it.
func (t *topic) active() []*tier {
	var list []*tier
	for _, x := range t.tiers {
		if x.here() || x.expected() && (len(list) > 0 || x.unreported()) {
			list = append(list, x)
		}
	}
	return list
}

// before are the tiers that are left out because their clusters do not have the topic. That
// holds as long as somebody says so: else it may have come to them, or they were never asked.
func (t *topic) before() (list []*tier) {
	for _, x := range t.tiers {
		if x.here() {
			return list
		}
		if x.expected() {
			list = append(list, x)
		}
	}
	return nil // it is nowhere
}

// until is the moment up to which all tiers have been counted; 0: nobody knows.
func (t *topic) until() int64 {
	list := append(t.before(), t.active()...)
	if len(list) == 0 {
		return 0
	}
	least := list[0].until()
	for _, x := range list[1:] {
		least = min(least, x.until())
	}
	return least
}

// look judges the windows that have come to be counted, and says how the topic stands.
func (t *topic) look(offset int64) {
	for _, x := range t.tiers {
		x.bury(t.j.now)
	}
	until := t.until()
	for _, w := range t.restless() {
		switch {
		case !w.settled && w.ended() && w.threshold() <= until:
			w.judge(offset)
		case w.settled && w.touched > 0 && w.threshold() <= until:
			w.judge(offset)
		case w.settled && w.moved():
			t.j.due.sooner(w, t.j.now)
		}
	}
	t.stand(until, offset)
}

// restless are the windows that may have to be judged when tiers come further, in order.
func (t *topic) restless() (list []*window) {
	for w := range t.unrest {
		if w.settled && !w.short && !w.changed {
			delete(t.unrest, w)
			continue
		}
		list = append(list, w)
	}
	return sorted(list)
}

func (t *topic) all() []*window { return sorted(slices.Collect(maps.Values(t.windows))) }

func sorted(list []*window) []*window {
	slices.SortFunc(list, func(a, b *window) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Size, b.Size)) })
	return list
}

// sweep forgets windows of which nothing is left, and who has not spoken for long.
func (t *topic) sweep(before int64) {
	for k, w := range t.windows {
		if len(w.parts) == 0 && w.End()*1000 < before {
			t.j.due.remove(w)
			delete(t.windows, k)
			delete(t.unrest, w)
		}
	}
	for k, o := range t.owners {
		if o.heard < before {
			delete(t.owners, k)
		}
	}
	for _, x := range t.tiers {
		x.sweep(before)
	}
}

// missed takes the statement that a range of a log can no longer be counted.
func (t *topic) missed(r *audit.Record, said Said) {
	t.hear(said)
	x := t.tier(r.Tier)
	if x == nil {
		return
	}
	d := compare.Doubt{Reason: compare.Missed, Bound: compare.AtMost, Detail: string(r.Missed.Reason),
		Place: compare.Place{Datacenter: r.Datacenter, Cluster: r.Cluster, Partition: &r.Partition, First: r.Missed.From, Last: r.Missed.To - 1}}
	switch r.Missed.Reason {
	case audit.MissedTruncated, audit.MissedRecreated, audit.MissedDamaged: // the range says where, and not how many
		d.Bound, d.First, d.Last = compare.Unbounded, r.Missed.From, r.Missed.From
	default:
		d.Messages = uint64(max(0, r.Missed.To-r.Missed.From))
	}
	to := r.Missed.Until
	if to == 0 {
		to = said.Appended
	}
	x.doubt(r.IdentityKey(), r.Missed.Since, to, d)
}

// touched has the windows of a span judged anew. Those that have no messages have no
// verdict either: the standing tells of them.
func (t *topic) touched(s compare.Span) {
	for _, w := range t.windows {
		if s.Touches(w.Window) {
			w.change(t.j.now)
		}
	}
	t.stir()
}
