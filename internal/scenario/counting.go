package scenario

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/settings"
)

// What a script does to counting instances.

func (w *world) begin(a *args) error {
	if w.current != nil || len(w.table) > 0 {
		return a.fail("where counting begins is decided before it does; write first: stop count")
	}
	switch text := a.word(0); text {
	case "earliest":
		w.start = start{}
	case "latest":
		w.start = start{latest: true}
	default:
		at, err := parseTime(text, w.clock)
		if err != nil {
			return a.fail("%q: want earliest, latest or a time such as 10:00", text)
		}
		w.start = start{at: at}
	}
	return nil
}

// startOf is where counting of a source begins that nobody has counted.
func (w *world) startOf(x *source) (int64, error) {
	from := w.start.at
	if w.start.latest {
		d := w.decided[x.at]
		if d == nil { // what is listed when it is first asked for existed
			d = &settings.Start{Time: time.UnixMilli(w.clock), Topics: map[string]int32{}}
			for _, t := range x.at.topics {
				d.Topics[t.id.String()] = int32(len(t.partitions))
			}
			w.decided[x.at] = d
		}
		if !d.Existed(x.Source) {
			return x.log.start, nil
		}
		from = d.Time.UnixMilli()
	} else if from == 0 {
		return x.log.start, nil
	}
	for _, e := range x.log.entries {
		if e.Time >= from {
			return e.offset, nil
		}
	}
	return x.log.end, nil
}

// running gives the session that owns the sources.
func (w *world) running(a *args) (*session, error) {
	if w.current == nil {
		return nil, a.fail("no counting instance runs; write first: start count")
	}
	return w.current, nil
}

func (w *world) count(a *args) error {
	s, err := w.running(a)
	if err != nil {
		return err
	}
	n := a.number("n", math.MaxInt, 1, budget)
	if a.err != nil {
		return a.err
	}
	return s.read(n)
}

func (w *world) flush(a *args) error {
	s, err := w.running(a)
	if err != nil {
		return err
	}
	return s.flush()
}

func (w *world) rebalance(a *args) error {
	s, err := w.running(a)
	if err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	return w.startCounting()
}

// stages are the words after which an instance can be struck.
var stages = map[string]stage{"rows": rows, "ledger": ledgers}

// strike lets the instance begin a flush and stop in the middle of it.
func (w *world) strike(a *args) (*session, error) {
	s, err := w.running(a)
	if err != nil {
		return nil, err
	}
	switch after := a.options["after"]; after {
	case "":
	case "table":
		if err := s.begin(); err != nil {
			return nil, err
		}
		s.land(len(s.out), toTable)
	default:
		if err := s.until(stages[after]); err != nil {
			return nil, err
		}
	}
	w.current = nil
	return s, nil
}

func (w *world) pause(a *args) error {
	s, err := w.strike(a)
	if err == nil {
		w.zombies = append(w.zombies, s)
	}
	return err
}

// wake lets paused instances go on as if nothing had happened: what they had
// sent arrives, they count, and they flush.
func (w *world) wake(a *args) error {
	if len(w.zombies) == 0 {
		return a.fail("no counting instance is paused; write first: pause count")
	}
	n := a.number("n", math.MaxInt, 1, budget)
	for _, s := range w.zombies {
		if err := s.until(idle); err != nil {
			return err
		}
		if err := s.read(n); err != nil {
			return err
		}
		if err := s.until(idle); err != nil {
			return err
		}
	}
	return a.err
}

// said is what a session has said of a topic.
type said struct {
	sequence int64
	sources  map[int32]audit.SourceProgress
}

// progress says how far sources are durably counted, where that has changed.
func (s *session) progress() error {
	byTopic := map[*topic][]*source{}
	var order []*topic
	for _, x := range s.list {
		if byTopic[x.topic] == nil {
			order = append(order, x.topic)
		}
		byTopic[x.topic] = append(byTopic[x.topic], x)
	}
	for _, t := range order {
		sources := map[int32]audit.SourceProgress{}
		for _, x := range byTopic[t] {
			sources[x.Partition] = x.progress()
		}
		before := s.said[t]
		if maps.Equal(before.sources, sources) {
			continue
		}
		now := said{before.sequence + 1, sources}
		s.said[t] = now
		id := byTopic[t][0].subject.Identity
		id.Window, id.Partition, id.Instance = audit.Window{}, audit.NoPartition, s.owner
		rec := &audit.Record{
			Kind: audit.KindProgress, Identity: id, Version: now.sequence, Owner: s.owner, Host: s.owner,
			Progress: &audit.Progress{AskedAfter: before.sequence, Partitions: int32(len(t.partitions))},
		}
		for _, p := range slices.Sorted(maps.Keys(sources)) {
			rec.Progress.Sources = append(rec.Progress.Sources, sources[p])
		}
		if err := s.w.emit(rec); err != nil {
			return err
		}
	}
	return nil
}

func (x *source) progress() audit.SourceProgress {
	l := x.c.Durable()
	p := audit.SourceProgress{
		Partition: x.Partition, Generation: l.Generation, Base: l.Base, Segment: l.Segment, Start: l.Start, Next: l.Next, Total: l.Total,
		Time: l.LastTime, LogStart: x.log.start, End: x.topic.stable(x.log), CaughtUp: audit.CaughtUpNo,
	}
	if p.Next == p.End {
		p.CaughtUp = audit.CaughtUpYes
	}
	return p
}
