package views

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// world is the audit topic, the table, and who works on them.
type world struct {
	mistake
	*rand.Rand
	t        *testing.T
	plan     *compare.Plan
	detail   time.Duration
	clock    int64 // append time, Unix milliseconds
	logs     [partitions]*auditLog
	readers  []*reader
	sessions int
	versions map[string]int64
	bases    map[string]int64 // by source, since which generation it counts
	err      error
	stats    map[string]int
}

// auditLog is a partition of the audit topic with its table, and the sessions
// that collect it: the last one is current.
type auditLog struct {
	number    int32
	log       []collect.Message
	records   []*audit.Record
	committed int64
	table     changelog
	verdicts  changelog // of the topic of verdicts
	sessions  []*session
}

// changelog is a partition of a compacted topic.
type changelog struct {
	entries []written
	end     int64
}

func (c *changelog) append(key string, value []byte) {
	c.entries = append(c.entries, written{c.end, key, value})
	c.end++
}

type written struct {
	offset int64
	key    string
	value  []byte // nil deletes
}

type session struct {
	m       *collect.Machine
	at      int64
	changes *collect.Changes // in flight
	deleted bool
	left    []shards.Message
}

// reader is a Sources, and a Verdicts, whose replicas are filled by hand instead of by
// goka.
type reader struct {
	s  *Sources
	v  *Verdicts
	at [2][partitions]int64 // offset in each partition of the table, and of the topic of verdicts
}

// act lets a session, true or former, do one thing.
func (w *world) act(l *auditLog, s *session) {
	switch w.IntN(3) {
	case 0:
		w.apply(l, s, 1+w.IntN(15))
	case 1:
		w.flush(l, s)
	case 2:
		w.write(l, s, 1+w.IntN(10))
	}
}

func (w *world) apply(l *auditLog, s *session, n int) {
	for ; n > 0 && s.at < int64(len(l.log)); n-- {
		_, _ = s.m.Apply(l.log[s.at])
		s.at++
	}
}

func (w *world) flush(l *auditLog, s *session) {
	if s.changes != nil {
		return
	}
	c := s.m.Take()
	s.changes, s.left = &c, slices.Clone(c.Writes)
	if s.deleted = s == l.sessions[len(l.sessions)-1] && w.IntN(4) > 0; s.deleted {
		for _, key := range c.Deletes {
			s.left = append(s.left, shards.Message{Key: key, Delete: true})
		}
	}
}

// write lets so many messages of a flush arrive.
func (w *world) write(l *auditLog, s *session, n int) {
	if s.changes == nil {
		return
	}
	for ; n > 0 && len(s.left) > 0; n-- {
		m := s.left[0]
		l.table.append(m.Key, m.Value)
		if table.Judged(m.Key) { // stored and emitted in one callback; a deletion is a tombstone
			l.verdicts.append(m.Key, m.Emit)
		}
		s.left = s.left[1:]
	}
	if len(s.left) > 0 {
		return
	}
	if s == l.sessions[len(l.sessions)-1] {
		l.committed = max(l.committed, s.changes.Next)
	}
	s.m.Acked(*s.changes, s.deleted)
	s.changes = nil
}

// takeOver begins a session. The former one dies, or was paused.
func (w *world) takeOver(l *auditLog) {
	if n := len(l.sessions); n > 0 && w.IntN(2) == 0 {
		l.sessions = l.sessions[:n-1]
	}
	w.sessions++
	s := &session{at: l.committed, m: collect.NewMachine(collect.MachineOptions{
		Owner: fmt.Sprint("s", w.IntN(1000), "-", w.sessions), Start: l.committed, Partition: l.number, Partitions: partitions, Horizon: w.detail + 6*time.Hour,
		Judge: judge.Options{Plan: w.plan}, Verdicts: "verdicts",
	})}
	says := l.table.says()
	for _, key := range slices.Sorted(maps.Keys(says)) {
		if err := s.m.Load(key, says[key]); err != nil {
			w.fail("load: %w", err)
		}
	}
	l.sessions = append(l.sessions, s)
}

// says is what the topic has now.
func (c *changelog) says() map[string][]byte {
	says := map[string][]byte{}
	for _, e := range c.entries {
		if says[e.key] = e.value; e.value == nil {
			delete(says, e.key)
		}
	}
	return says
}

// compact drops any entries that have a later one of their key, and deletions
// that all readers have seen if nothing older is left of their key.
func (w *world) compact(l *auditLog) {
	for i, c := range []*changelog{&l.table, &l.verdicts} {
		last, older := map[string]int64{}, map[string]bool{}
		for _, e := range c.entries {
			last[e.key] = e.offset
		}
		c.entries = slices.DeleteFunc(c.entries, func(e written) bool {
			seen := !slices.ContainsFunc(w.readers, func(r *reader) bool { return r.at[i][l.number] <= e.offset })
			superfluous := last[e.key] != e.offset || e.value == nil && !older[e.key] && seen
			if superfluous && w.IntN(3) > 0 {
				return true
			}
			older[e.key] = true
			return false
		})
	}
}

func (w *world) newReader() {
	r := &reader{s: newSources(w.detail), v: newVerdicts(w.detail)}
	r.s.current.Store(newReplica(w.detail, 1<<30))
	r.v.current.Store(newVerdictsReplica(w.detail, 1<<30))
	for p := range int32(partitions) {
		for _, f := range r.followers() {
			_, _ = f.current.Load().build("", p)
		}
	}
	w.readers = append(w.readers, r)
}

func (r *reader) followers() []*follower { return []*follower{r.s.follower, r.v.follower} }

// read follows the topics, as goka has the replicas do.
func (w *world) read(r *reader, l *auditLog, n int) {
	for which, c := range []*changelog{&l.table, &l.verdicts} {
		rep, at := r.followers()[which].current.Load(), &r.at[which][l.number]
		i, _ := slices.BinarySearchFunc(c.entries, *at, func(e written, at int64) int { return int(e.offset - at) })
		for left := n; left > 0 && i < len(c.entries); i++ {
			e := c.entries[i]
			*at = e.offset + 1
			left--
			value := e.value
			switch {
			case value == nil && w.ignoreDeletes:
				continue
			case value != nil && w.ignoreVersions:
				value = w.unversioned(which, value)
			}
			if err := rep.update(nil, rep.partitions()[l.number], e.key, value); err != nil {
				w.fail("update: %w", err)
			}
		}
		if w.IntN(5) == 0 && !w.neverSwept {
			rep.sweep()
		}
	}
}

// unversioned makes the version of an entry 0.
func (w *world) unversioned(which int, value []byte) []byte {
	if which == 1 {
		return value
	}
	row, _ := table.Parse(value)
	row.Version = 0
	return row.Append(nil)
}

var topics = []string{"orders", "a/b", "-", "%2F", "payments"}

func (w *world) produce() {
	for range 1 + w.IntN(6) {
		topic := topics[w.IntN(len(topics))]
		switch w.IntN(10) {
		case 0, 1:
			w.progress(topic, int32(w.IntN(3)), int32(w.IntN(3)))
		case 2:
			w.append(&audit.Record{
				Kind: audit.KindWindow, Identity: audit.Identity{Topic: topic, Tier: "t", Partition: audit.NoPartition, Window: audit.Window{Start: w.start(), Size: 600}},
				Original: &audit.OriginalCount{UUID: fmt.Sprint("u", w.Uint32())}, Tally: &audit.WindowTally{Tally: audit.Tally{Count: 3}, First: -1, Last: -1},
			})
		case 3: // again
			if l := w.logs[w.IntN(partitions)]; len(l.records) > 0 {
				w.append(l.records[w.IntN(len(l.records))])
			}
		default:
			w.window(topic, int32(w.IntN(3)))
		}
	}
}

func (w *world) start() int64 {
	d := int64(w.detail.Seconds())
	return (w.clock/1000 + d/2 - w.Int64N(2*d)) / 600 * 600
}

// window says something of a window, sometimes an older version. A recount begins
// a generation from which on the source counts; a former owner does not know it.
func (w *world) window(topic string, partition int32) {
	source := fmt.Sprint(topic, partition)
	if w.IntN(60) == 0 {
		w.bases[source]++
	}
	generation := w.bases[source]
	if generation > 0 && w.IntN(4) == 0 {
		generation--
	}
	r := windowOf(topic, partition, w.start(), generation, generation, 0)
	id := r.IdentityKey()
	w.versions[id] += w.Int64N(3)
	r.Version = max(0, w.versions[id]-w.Int64N(3))
	r.Tally.Last, r.Tally.Count = r.Version, uint64(r.Version)+1
	w.append(r)
}

func (w *world) progress(topic string, partitions ...int32) {
	owner := fmt.Sprint("c", w.IntN(3))
	w.versions[topic+owner]++
	n := w.versions[topic+owner]
	r := windowOf(topic, audit.NoPartition, 0, 0, 0, n)
	r.Kind, r.Window, r.Tally, r.Owner, r.Instance = audit.KindProgress, audit.Window{}, nil, owner, owner
	r.Progress = &audit.Progress{Partitions: 3}
	slices.Sort(partitions)
	for _, p := range slices.Compact(partitions) {
		base := w.bases[fmt.Sprint(topic, p)]
		r.Progress.Sources = append(r.Progress.Sources, audit.SourceProgress{Partition: p, Next: n, Generation: base, Base: base, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: audit.CaughtUpNo})
	}
	w.append(r)
}

func (w *world) append(r *audit.Record) {
	w.clock += w.Int64N(120_000)
	if w.IntN(60) == 0 {
		w.clock += w.Int64N(w.detail.Milliseconds())
	}
	key := r.Key()
	l := w.logs[shards.PartitionOf(key, partitions)]
	l.log = append(l.log, collect.Message{Offset: int64(len(l.log)), Appended: w.clock, Key: []byte(key), Value: r.AppendJSON(nil)})
	l.records = append(l.records, r)
	w.stats["records"]++
}
