package views

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"unique"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
	"github.com/chaperone-audit/chaperone/query"
)

// An outline has, of each topic in the stores of a replica, how it stands and the
// judgements of its windows, so that they can be listed without decoding a verdict: to
// decode those of a thousand topics and a day takes seconds, and to list their judgements
// milliseconds. They take about 150 bytes for a window in which all is well, and 200 more
// for each finding, beside 1 KB for the verdict itself (BenchmarkOverview).
//
// Several sessions may have said something about a window: the highest version counts,
// and where that is deleted the next one. Therefore stores are changed here, under the
// same lock. Safe for concurrent use.
type outline struct {
	mu     sync.RWMutex
	topics map[string]*outlined
}

// outlined is a topic in an outline.
type outlined struct {
	standing *compare.Standing // nil: none
	owner    string            // who has said that
	windows  []judged          // in order
	store    *shards.Store     // of its partition
}

// judged is a window of a topic.
type judged struct {
	query.Judgement
	version int64
	owner   string // who has said that
}

func newOutline() *outline { return &outline{topics: map[string]*outlined{}} }

// set stores an entry.
func (o *outline) set(s *shards.Store, key string, e *reading) error {
	identity, owner, err := table.Cut(key)
	if err != nil {
		return nil // not reached: nobody writes it
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := s.Set(key, e.Append(nil)); err != nil {
		return err
	}
	name := e.topic()
	t := o.topics[name]
	if t == nil {
		t = &outlined{store: s}
		o.topics[name] = t
	}
	if was, version := t.said(e); was == owner && e.Version < version {
		return o.anew(identity, name, e.window()) // another one may be newer now
	}
	t.take(e, owner)
	return nil
}

// drop deletes an entry.
func (o *outline) drop(s *shards.Store, key string) error {
	identity, owner, err := table.Cut(key)
	if err != nil {
		return nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	old, _ := s.Get(key)
	if err := s.Delete(key); err != nil || old == nil {
		return err
	}
	e, err := readHeld(old)
	if err != nil {
		return err
	}
	if t := o.topics[e.topic()]; t != nil {
		if was, _ := t.said(&e); was == owner {
			return o.anew(identity, e.topic(), e.window())
		}
	}
	return nil
}

// anew looks for what counts of an identity among what is stored.
func (o *outline) anew(identity, topic string, w audit.Window) error {
	t := o.topics[topic]
	if strings.HasSuffix(identity, "/"+string(table.KindStanding)) {
		t.standing = nil
	} else if i, found := t.find(w); found {
		t.windows = slices.Delete(t.windows, i, i+1)
	}
	prefix := identity + "/"
	for key, value := range t.store.Range(prefix, table.Limit(prefix)) {
		e, err := readHeld(value)
		if err != nil {
			return err
		}
		t.take(&e, key[len(prefix):])
	}
	if t.standing == nil && len(t.windows) == 0 {
		delete(o.topics, topic)
	}
	return nil
}

// said gives who has said what counts of the window, or of the topic, that an entry is
// about, and its version.
func (t *outlined) said(e *reading) (owner string, version int64) {
	if e.standing != nil {
		if t.standing == nil {
			return "", 0
		}
		return t.owner, t.standing.Version
	}
	if i, found := t.find(e.verdict.Window()); found {
		return t.windows[i].owner, t.windows[i].version
	}
	return "", 0
}

// take puts an entry in, if it is newer. Of equal versions the first owner counts, so that
// the order in which they come is of no matter: two sessions may say different things with
// one version, because a table that is loaded can be ahead of the offset where it is.
func (t *outlined) take(e *reading, owner string) {
	newer := func(version int64, than string) bool {
		return e.Version > version || e.Version == version && owner <= than
	}
	if e.standing != nil {
		if t.standing == nil || newer(t.standing.Version, t.owner) {
			t.standing, t.owner = e.standing, owner
		}
		return
	}
	j := judged{query.JudgementOf(e.verdict), e.Version, owner}
	// Each string comes with JSON of its own, and there are few of them.
	j.Pipeline, j.State, j.Kind = unique.Make(j.Pipeline).Value(), unique.Make(j.State).Value(), unique.Make(j.Kind).Value()
	switch i, found := t.find(j.Window); {
	case !found:
		t.windows = slices.Insert(t.windows, i, j)
	case newer(t.windows[i].version, t.windows[i].owner):
		t.windows[i] = j
	}
}

func (t *outlined) find(w audit.Window) (i int, found bool) {
	return slices.BinarySearchFunc(t.windows, w, func(j judged, w audit.Window) int {
		return cmp.Or(cmp.Compare(j.Start, w.Start), cmp.Compare(j.Size, w.Size))
	})
}

// within are the windows that a question is about.
func (t *outlined) within(q *query.Verdicts) iter.Seq[*judged] {
	i, _ := t.find(audit.Window{Start: q.From})
	j, _ := t.find(audit.Window{Start: q.To})
	return func(yield func(*judged) bool) {
		for ; i < j; i++ {
			if w := &t.windows[i]; q.Wanted(w.Kind, w.Pipeline) && !yield(w) {
				return
			}
		}
	}
}

// names lists topics that are asked for, in order. The lock must be held.
func (o *outline) names(topic string) []string {
	if topic == "" {
		return slices.Sorted(maps.Keys(o.topics))
	}
	if o.topics[topic] == nil {
		return nil
	}
	return []string{topic}
}

func (o *outline) standings(topic string) (list []*compare.Standing) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, name := range o.names(topic) {
		if s := o.topics[name].standing; s != nil {
			list = append(list, s)
		}
	}
	return list
}

func (o *outline) judgements(q *query.Verdicts) map[string][]query.Judgement {
	o.mu.RLock()
	defer o.mu.RUnlock()
	all := map[string][]query.Judgement{}
	for _, name := range o.names(q.Topic) {
		t := o.topics[name]
		list := make([]query.Judgement, 0, len(t.windows))
		for w := range t.within(q) {
			list = append(list, w.Judgement)
		}
		if len(list) > 0 {
			all[name] = list
		}
	}
	return all
}

// A place is where a verdict is stored.
type place struct {
	store *shards.Store
	key   string
}

// places are where the verdicts are that a question is about, in order of topic and start.
func (o *outline) places(q *query.Verdicts) (list []place) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	for _, name := range o.names(q.Topic) {
		t := o.topics[name]
		for w := range t.within(q) {
			v := compare.Verdict{Topic: name, Start: w.Start, Size: w.Size}
			list = append(list, place{t.store, table.Key(v.Key(), w.owner)})
		}
	}
	return list
}
