package alerts

import (
	"cmp"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/query"
)

// Step moves alerts on by what the judge has said as of now, by the wall clock. It gives
// the next state, in which the notifications that it makes wait; the old one is left as
// it is.
func (r *Rules) Step(old *State, s *Snapshot, now time.Time) (*State, []Notification) {
	if old == nil {
		old = &State{}
	}
	st := old.clone()
	if s.AsOf < st.AsOf { // whoever has been asked has not yet heard what was heard before
		return st, nil
	}
	st.AsOf = s.AsOf
	st.reached(s, r.c.Span)
	wall := now.UnixMilli()

	live, by := map[string]int64{}, map[string]*Entry{}
	for _, e := range st.sorted() {
		if e.live() {
			live[e.Group], by[e.Group] = e.Alert.Since, e
		}
	}
	for _, g := range groups(r.hits(s, wall), live) {
		e := by[g.id]
		if e == nil {
			e = r.begin(st, g, wall)
		} else {
			e = e.clone()
		}
		r.found(e, g, st.clock(g.hits[0].rule.Subject, wall))
		st.Entries[e.Alert.Key] = e
		delete(live, g.id)
	}
	for id := range live {
		e := by[id].clone()
		r.over(e, st.clock(Subject(e.Alert.Subject), wall))
		st.Entries[e.Alert.Key] = e
	}
	st.inhibit()
	var notes []Notification
	for _, e := range st.sorted() {
		e = e.clone()
		r.version(e, old.Entries[e.Alert.Key], st.AsOf)
		notes = append(notes, r.tell(e, wall)...)
		st.Entries[e.Alert.Key] = e
	}
	st.forget(r.c.Span)
	return st, notes
}

// clock is the time by which a rule's durations are: the log's, but for the rule that
// finds that it stands still.
func (st *State) clock(s Subject, wall int64) int64 {
	if s == Stalled {
		return wall
	}
	return st.AsOf
}

// begin makes an alert. Its key has not been there before: what is found again after it
// was over is another alert.
func (r *Rules) begin(st *State, g *group, wall int64) *Entry {
	rule := g.hits[0].rule
	e := &Entry{Group: g.id, Seen: st.clock(rule.Subject, wall)}
	since := g.began()
	if st.Entries[g.key(since)] != nil {
		since = max(since+1, e.Seen)
	}
	for st.Entries[g.key(since)] != nil {
		since++
	}
	e.Alert = query.Alert{Key: g.key(since), Rule: rule.Name, Class: r.ClassOf(g.hits[0].topic), State: query.Pending, Since: since}
	if len(rule.Classes) == 1 {
		e.Alert.Class = rule.Classes[0]
	}
	return e
}

// found is what becomes of an alert whose rule finds something.
func (r *Rules) found(e *Entry, g *group, clock int64) {
	rule, a := g.hits[0].rule, &e.Alert
	e.Over, e.Aged = 0, false
	g.describe(e)
	a.Severity, a.Shadow = rule.Severity, r.mode(rule) == Shadow
	if a.State == query.Pending && clock-a.Since >= rule.For.Milliseconds() && clock-e.Seen >= r.c.Wait.Milliseconds() {
		a.State, a.Fired = query.Firing, clock
	}
}

// over is what becomes of one whose rule finds nothing any more, or is no more.
func (r *Rules) over(e *Entry, clock int64) {
	if e.Over == 0 {
		e.Over, e.Aged = clock, e.Until > 0 && clock > e.Until
	}
	grace := time.Duration(0)
	if i := slices.IndexFunc(r.rules, func(x *rule) bool { return x.Name == e.Alert.Rule }); i >= 0 && r.mode(r.rules[i]) != Off {
		grace = r.rules[i].Grace
	}
	if e.Alert.State == query.Pending || clock-e.Over >= grace.Milliseconds() {
		e.Alert.State, e.Alert.Resolved = query.Resolved, clock
	}
}

// inhibit mutes alerts of a cause that a graver one which is told of has too: classes of
// topics that one failure touches make an alert each, and only the gravest is news.
func (st *State) inhibit() {
	told := map[query.Cause]*Entry{}
	list := st.sorted()
	slices.SortStableFunc(list, func(a, b *Entry) int { return cmp.Compare(gravity(a.Alert.Severity), gravity(b.Alert.Severity)) })
	for _, e := range list {
		a := &e.Alert
		if a.State != query.Firing || a.Shadow || a.Muted != "" {
			continue
		}
		if graver := told[a.Cause]; graver != nil && graver.Alert.Severity != a.Severity {
			c := e.clone()
			c.Alert.Muted = graver.Alert.Rule
			st.Entries[a.Key] = c
		} else if graver == nil {
			told[a.Cause] = e
		}
	}
}

func gravity(s query.Severity) int {
	return slices.Index([]query.Severity{query.Page, query.Ticket, query.Notice}, s)
}

// version notes what has changed for those who read alerts.
func (r *Rules) version(e, old *Entry, asOf int64) {
	r.write(e)
	if old != nil {
		before := old.Alert
		if e.Alert.Version = before.Version; equal(&before, &e.Alert) {
			return
		}
	}
	e.AsOf, e.Alert.Version = asOf, max(e.Alert.Version+1, asOf)
}

func equal(a, b *query.Alert) bool {
	x, y := *a, *b
	x.Topics, y.Topics = nil, nil
	return slices.Equal(a.Topics, b.Topics) && sameFields(x, y)
}

// forget drops alerts that are over, and told of, for so long that what they were about
// can no longer be found.
func (st *State) forget(span time.Duration) {
	for key, e := range st.Entries {
		if !e.live() && len(e.Waiting) == 0 && st.AsOf-e.Alert.Resolved > span.Milliseconds() {
			delete(st.Entries, key)
		}
	}
}
