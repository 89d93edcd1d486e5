package judge

import (
	"cmp"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// Options of a Judge. Plan must be set.
type Options struct {
	Plan *compare.Plan
	// Size of windows that standings tell of, in seconds; 600 if 0.
	Size int64
	// Horizon is how long after its end a window is known; 48 h if zero.
	Horizon time.Duration
	// Digest gives, for a digest of records of a topic, the newest one that reads messages
	// alike: the two are compared. nil: each is its own.
	Digest func(topic, digest string) string
}

// A Judge judges the topics of one partition. Records may come repeated, late and in any
// order, but each Window only if it is newer than what was told of its identity before.
// Not safe for concurrent use.
type Judge struct {
	o      Options
	topics map[string]*topic
	now    int64 // the log's time, Unix milliseconds
	warm   int64 // before it nothing is called unknown: those who count may not have spoken since Load
	round  int64 // when all topics were looked at
	due    queue

	verdicts  []*compare.Verdict // to be taken
	standings []*compare.Standing
	stirred   []*topic // whose standing, or whose windows, may have changed
}

// The steps of a judgement, by the log's time.
const (
	// unknownAfter is how long after its grace a window that is not counted is called
	// unknown: an instance that restarts, or is replaced, must not make anything unknown.
	unknownAfter = time.Minute
	// again is how long after a judgement a window is judged anew, at the earliest.
	again = 5 * time.Second
	// speakWithin is how long after the start of a session all who count have spoken.
	speakWithin = 45 * time.Second
	// lookEvery is how often each topic is looked at of which nothing is said: that is
	// what has to be noticed.
	lookEvery = 30 * time.Second
	// restAfter is how long after its last judgement a window that is final lets go of its
	// latencies, which are most of what it holds.
	restAfter = time.Hour
)

// New makes a Judge that knows nothing yet; see LoadVerdict and Loaded.
func New(o Options) *Judge {
	if o.Size == 0 {
		o.Size = 600
	}
	if o.Horizon == 0 {
		o.Horizon = 48 * time.Hour
	}
	return &Judge{o: o, topics: map[string]*topic{}}
}

// Said is when and where on the audit topic something was said.
type Said struct {
	Appended int64 // Unix milliseconds, by the log
	Offset   int64
}

// Window takes a newer window record of an identity, and what Window gave for the one
// before; nil: there was none. What it gives is to be kept, for the next and for Forget.
func (j *Judge) Window(r *audit.Record, old *Part, said Said) *Part {
	t := j.topic(r.Topic)
	return t.count(r, old, said)
}

// Forget says that the records of an identity are no longer kept.
func (j *Judge) Forget(p *Part) { p.forget() }

// Record takes a record of any other kind.
func (j *Judge) Record(r *audit.Record, said Said) {
	if r.Topic == "" {
		return
	}
	t := j.topic(r.Topic)
	switch r.Kind {
	case audit.KindProgress:
		if r.Progress != nil {
			t.progress(r, said)
		}
	case audit.KindHello, audit.KindGoodbye:
		t.greeted(r, said)
	case audit.KindMissed:
		if r.Missed != nil {
			t.missed(r, said)
		}
	}
}

// LoadVerdict and LoadStanding take what an earlier session has said, before Loaded.
func (j *Judge) LoadVerdict(v *compare.Verdict) {
	w := j.topic(v.Topic).window(v.Window())
	if w.said == nil || v.Version > w.said.Version {
		w.load(v)
	}
}

func (j *Judge) LoadStanding(s *compare.Standing) {
	t := j.topic(s.Topic)
	if t.said == nil || s.Version > t.said.Version {
		t.load(s)
	}
}

// Loaded says that all that earlier sessions have stored has been told, as of a moment
// by the log's time.
func (j *Judge) Loaded(now int64) {
	j.now = max(j.now, now)
	j.warm = j.now + speakWithin.Milliseconds()
	for _, t := range j.sorted() {
		for _, w := range t.windows {
			for _, p := range w.parts { // until now nobody knew which of them lie in the future
				if p.tier != nil && p.Count > 0 {
					p.tier.counted(w.Window, p.Partition)
				}
			}
		}
		for _, w := range t.all() {
			w.loaded()
		}
		t.stir()
	}
}

// Advance lets the log's time pass. An offset is that of the record which has told it.
func (j *Judge) Advance(now, offset int64) {
	j.now = max(j.now, now)
	if j.now-j.round >= lookEvery.Milliseconds() {
		j.round = j.now
		for _, t := range j.sorted() {
			t.stir()
		}
	}
	j.judgeDue(offset)
	for len(j.stirred) > 0 {
		list := j.stirred
		j.stirred = nil
		for _, t := range list {
			t.stirred = false
			t.look(offset)
		}
		j.judgeDue(offset)
	}
}

func (j *Judge) judgeDue(offset int64) {
	for w := j.due.next(j.now); w != nil; w = j.due.next(j.now) {
		if w.atRest() {
			w.rest()
			continue
		}
		w.judge(offset)
	}
}

// Take gives what is new, in order.
func (j *Judge) Take() ([]*compare.Verdict, []*compare.Standing) {
	v, s := j.verdicts, j.standings
	j.verdicts, j.standings = nil, nil
	return v, s
}

func (j *Judge) topic(name string) *topic {
	t := j.topics[name]
	if t == nil {
		t = newTopic(j, name)
		j.topics[name] = t
	}
	return t
}

func (j *Judge) sorted() []*topic {
	list := make([]*topic, 0, len(j.topics))
	for _, t := range j.topics {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b *topic) int { return cmp.Compare(a.name, b.name) })
	return list
}

// Sweep forgets topics of which nothing has been heard for a horizon.
func (j *Judge) Sweep() {
	before := j.now - j.o.Horizon.Milliseconds()
	for name, t := range j.topics {
		if t.sweep(before); t.heard < before && len(t.windows) == 0 {
			delete(j.topics, name)
		}
	}
}
