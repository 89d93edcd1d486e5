package alerts

import (
	"fmt"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/query"
)

// tell makes the notifications that are due.
func (r *Rules) tell(e *Entry, wall int64) []Notification {
	a := &e.Alert
	switch {
	case a.State == query.Firing && !a.Shadow && a.Muted == "" && r.due(e, wall):
		e.Told, e.ToldTopics, e.ToldWindows = wall, a.Affected, a.Windows
		return r.say(e, Fired, r.notifiers(a.Rule), wall)
	case a.State == query.Resolved && len(e.ToldTo) > 0: // muted or not: it was begun
		to := e.ToldTo
		e.ToldTo = nil
		return r.say(e, Ended, to, wall)
	}
	return nil
}

// due says whether an alert that fires is to be told of: for the first time, because it
// has grown, or again.
func (r *Rules) due(e *Entry, wall int64) bool {
	since := time.Duration(wall-e.Told) * time.Millisecond
	if e.Sent == 0 {
		return true
	}
	if grown := e.Alert.Affected > e.ToldTopics || e.Alert.Windows > e.ToldWindows; grown && since >= r.c.Update {
		return true
	}
	repeat := time.Duration(0)
	if x := r.rule(e.Alert.Rule); x != nil {
		repeat = x.Repeat
	}
	return repeat > 0 && since >= repeat
}

func (r *Rules) rule(name string) *rule {
	if i := slices.IndexFunc(r.rules, func(x *rule) bool { return x.Name == name }); i >= 0 {
		return r.rules[i]
	}
	return nil
}

// notifiers of a rule are those that it names, or all.
func (r *Rules) notifiers(name string) []string {
	if x := r.rule(name); x != nil && len(x.Notify) > 0 {
		return x.Notify
	}
	return r.c.Notifiers
}

// say has an alert told of. For each notifier at most one of each event waits: the newest
// has all that those before it had to say.
func (r *Rules) say(e *Entry, event Event, to []string, wall int64) (notes []Notification) {
	e.Sent++
	for _, name := range to {
		if !slices.Contains(r.c.Notifiers, name) {
			continue // it is no more
		}
		w := Waiting{ID: fmt.Sprintf("%s/%d/%s", e.Alert.Key, e.Sent, name), Notifier: name, Event: event, Made: wall}
		e.Waiting = slices.DeleteFunc(e.Waiting, func(o Waiting) bool { return o.Notifier == name && o.Event == event })
		e.Waiting = append(e.Waiting, w)
		if event == Fired && !slices.Contains(e.ToldTo, name) {
			e.ToldTo = append(e.ToldTo, name)
		}
	}
	for _, w := range e.Waiting {
		if w.Event == event && slices.Contains(to, w.Notifier) {
			notes = append(notes, r.notification(e, w))
		}
	}
	return notes
}
