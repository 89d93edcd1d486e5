package alerts

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A State is all alerts that there are, with the notifications that wait to be
// delivered. The zero value has none. Not safe for concurrent use.
type State struct {
	AsOf    int64 // the log's time of the newest step, Unix milliseconds
	Entries map[string]*Entry

	// Oldest is the start from which windows may have become final within the span, Unix
	// seconds; noted at OldestAt. After a restart it is learnt anew.
	Oldest, OldestAt int64
}

// An Entry is an alert and what is known of it.
type Entry struct {
	Alert   query.Alert `json:"alert"`
	Group   string      `json:"group"`             // what groups its hits
	Members []Member    `json:"members,omitempty"` // at most query.MostTopics
	Seen    int64       `json:"seen"`              // when it was first found, by the clock of its rule
	Over    int64       `json:"over,omitempty"`    // when it was no longer found, likewise; 0: it is
	Until   int64       `json:"until,omitempty"`   // when all that was found is too long ago, by the log's time; 0: it does not get old
	Aged    bool        `json:"aged,omitempty"`    // it is over only because it is too long ago
	AsOf    int64       `json:"asOf"`              // the log's time of its version

	Sent        int       `json:"sent,omitempty"` // notifications, of each its number
	Told        int64     `json:"told,omitempty"` // when somebody was last told, by the wall clock
	ToldTopics  int       `json:"toldTopics,omitempty"`
	ToldWindows int       `json:"toldWindows,omitempty"`
	ToldTo      []string  `json:"toldTo,omitempty"` // notifiers
	Waiting     []Waiting `json:"waiting,omitempty"`
}

// A Member is a topic of an alert: its windows, and the worst of them.
type Member struct {
	Topic    string        `json:"topic"`
	Start    int64         `json:"start,omitempty"` // of the worst window, or where to look; Unix seconds
	Size     int64         `json:"size,omitempty"`
	Windows  int           `json:"windows,omitempty"`
	Messages uint64        `json:"messages,omitempty"` // in all windows
	Bound    compare.Bound `json:"bound,omitempty"`
	Says     string        `json:"says"`
	Tiers    []TierCount   `json:"tiers,omitempty"` // what each has counted in the worst window
}

// A TierCount is how many messages a tier has counted.
type TierCount struct {
	Tier     string `json:"tier"`
	Messages uint64 `json:"messages"`
}

// Waiting is a notification that is to be delivered.
type Waiting struct {
	ID       string `json:"id"`
	Notifier string `json:"notifier"`
	Event    Event  `json:"event"`
	Made     int64  `json:"made"` // by the wall clock
}

// An Event is what a notification says.
type Event string

// The events.
const (
	Fired Event = "firing"
	Ended Event = "resolved"
	Test  Event = "test" // nothing has happened: somebody tries a notifier
)

// A Notification is what a notifier is to be told. Its ID is the same when it is told
// again.
type Notification struct {
	ID       string
	Notifier string
	Event    Event
	Alert    query.Alert
	Members  []Member
	URL      string // where people look things up; empty: nowhere
	Made     int64  // when, by the wall clock, Unix milliseconds
}

// Waiting lists what is to be delivered, for each alert and notifier in order.
func (r *Rules) Waiting(st *State) (list []Notification) {
	for _, e := range st.sorted() {
		for _, w := range e.Waiting {
			list = append(list, r.notification(e, w))
		}
	}
	return list
}

func (r *Rules) notification(e *Entry, w Waiting) Notification {
	return Notification{ID: w.ID, Notifier: w.Notifier, Event: w.Event, Alert: e.Alert, Members: e.Members, URL: r.c.URL, Made: w.Made}
}

// Delivered gives the state in which notifications no longer wait.
func (st *State) Delivered(ids ...string) *State {
	next := st.clone()
	for key, e := range next.Entries {
		if slices.ContainsFunc(e.Waiting, func(w Waiting) bool { return slices.Contains(ids, w.ID) }) {
			e = e.clone()
			e.Waiting = slices.DeleteFunc(e.Waiting, func(w Waiting) bool { return slices.Contains(ids, w.ID) })
			next.Entries[key] = e
		}
	}
	return next
}

// Changes are the entries that differ from those of a state before, and the keys of those
// that are no more, in order.
func (st *State) Changes(before *State) (changed []*Entry, gone []string) {
	for _, e := range st.sorted() {
		if old := before.Entries[e.Alert.Key]; old != e && (old == nil || !reflect.DeepEqual(old, e)) {
			changed = append(changed, e)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before.Entries)) {
		if st.Entries[key] == nil {
			gone = append(gone, key)
		}
	}
	return changed, gone
}

func (st *State) sorted() []*Entry {
	list := make([]*Entry, 0, len(st.Entries))
	for _, key := range slices.Sorted(maps.Keys(st.Entries)) {
		list = append(list, st.Entries[key])
	}
	return list
}

// clone shares the entries, which are never changed.
func (st *State) clone() *State {
	next := *st
	next.Entries = maps.Clone(st.Entries)
	if next.Entries == nil {
		next.Entries = map[string]*Entry{}
	}
	return &next
}

func (e *Entry) clone() *Entry {
	c := *e
	c.Waiting, c.ToldTo = slices.Clone(e.Waiting), slices.Clone(e.ToldTo)
	return &c
}

// live says whether an alert can still change by what is found.
func (e *Entry) live() bool { return e.Alert.State != query.Resolved }

// Encode gives the JSON that Load reads.
func (e *Entry) Encode() ([]byte, error) { return json.Marshal(e) }

// Load takes what an earlier session has stored. Of several about one alert the one with
// the highest version is taken.
func (st *State) Load(b []byte) error {
	e := &Entry{}
	if err := json.Unmarshal(b, e); err != nil {
		return fmt.Errorf("alert: not JSON: %w", err)
	}
	if e.Alert.Key == "" {
		return fmt.Errorf("alert: it has no key")
	}
	if st.Entries == nil {
		st.Entries = map[string]*Entry{}
	}
	if old := st.Entries[e.Alert.Key]; old == nil || e.newer(old) {
		st.Entries[e.Alert.Key] = e
	}
	st.AsOf = max(st.AsOf, e.AsOf)
	return nil
}

// newer says which of two words about an alert counts: the newer version; of one version,
// that which has told more, and of that the one with less left to be delivered.
func (e *Entry) newer(old *Entry) bool {
	return cmp.Or(cmp.Compare(e.Alert.Version, old.Alert.Version), cmp.Compare(e.Sent, old.Sent), cmp.Compare(len(old.Waiting), len(e.Waiting))) > 0
}
