package scenario

import (
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// An app is an instance of an application that counts what it sends, and reports it as
// the audit library does.
type app struct {
	w        *world
	name     string
	identity audit.Identity
	topics   map[string]*sender
	vanished bool
}

// sender is what an app knows of a topic.
type sender struct {
	windows  map[int64]*sent
	progress int64 // sequence of what was said last
	total    uint64
	seq      int64
}

type sent struct {
	audit.Tally
	attempts uint64
	changed  bool
	version  int64
}

// every is how long an app is silent at most.
const every = 2 * beat

// application starts or ends an app, in order or not.
func (w *world) application(a *args) error {
	x := w.apps[a.word(0)]
	switch what := a.word(1); {
	case what == "start" && x == nil:
		if a.options["tier"] == "" {
			return a.fail("at which tier? add tier=NAME")
		}
		w.noteTier(a.options["tier"])
		w.apps[a.word(0)] = &app{w: w, name: a.word(0), topics: map[string]*sender{}, identity: audit.Identity{
			Tier: a.options["tier"], Datacenter: a.options["dc"], Partition: audit.NoPartition, Instance: a.word(0),
		}}
	case what == "start":
		x.vanished = false
	case x == nil:
		return a.fail("there is no app %q; write first: app %s start tier=NAME", a.word(0), a.word(0))
	case what == "vanish":
		x.vanished = true
	case what == "end":
		if err := x.report(); err != nil {
			return err
		}
		delete(w.apps, x.name)
		for _, topic := range slices.Sorted(maps.Keys(x.topics)) {
			if err := w.emit(x.record(topic, audit.KindGoodbye, x.topics[topic].seq)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *app) topic(name string) (*sender, error) {
	s := x.topics[name]
	if s == nil {
		s = &sender{windows: map[int64]*sent{}}
		x.topics[name] = s
		return s, x.w.emit(x.record(name, audit.KindHello, 1))
	}
	return s, nil
}

// send counts a message.
func (x *app) send(topic string, m *codecs.Message, event int64, answered bool) error {
	s, err := x.topic(topic)
	if err != nil {
		return err
	}
	start := audit.WindowAt(event, int64(x.w.size.Seconds())).Start
	c := s.windows[start]
	if c == nil {
		c = &sent{}
		s.windows[start] = c
	}
	c.attempts++
	c.changed = true
	if answered {
		s.total++
		e := audit.Event{Bytes: len(m.Key) + len(m.Value), Hash: audit.Hash(m.Key, m.Value), Moment: audit.Moment(m.Key, event), Latency: audit.NoLatency}
		c.Add(&e)
	}
	return nil
}

func (x *app) record(topic string, kind audit.Kind, version int64) *audit.Record {
	id := x.identity
	id.Topic = topic
	return &audit.Record{Kind: kind, Identity: id, Version: version, Owner: x.name, Host: x.name, Client: &audit.ClientCount{Every: every.Milliseconds()}}
}

// report says what has changed, and then how far.
func (x *app) report() error {
	if x.vanished {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(x.topics)) {
		s := x.topics[name]
		s.seq++
		for _, start := range slices.Sorted(maps.Keys(s.windows)) {
			c := s.windows[start]
			if !c.changed {
				continue
			}
			c.changed = false
			c.version++
			r := x.record(name, audit.KindWindow, c.version)
			r.Window = audit.Window{Start: start, Size: int64(x.w.size.Seconds())}
			r.Tally = &audit.WindowTally{Tally: c.Clone(), First: -1, Last: -1, TimeBasis: audit.BasisHeader, LatencyBasis: audit.BasisClock, FingerprintMode: audit.FingerprintMode}
			r.Client = &audit.ClientCount{Attempts: c.attempts, Successes: c.Count}
			if err := x.w.emit(r); err != nil {
				return err
			}
		}
		s.progress++
		r := x.record(name, audit.KindProgress, s.progress)
		r.Progress = &audit.Progress{AskedAfter: x.w.arrived[r.IdentityKey()], Sources: []audit.SourceProgress{{
			Partition: audit.NoPartition, Next: s.seq, Total: s.total, Time: x.w.clock, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: audit.CaughtUpYes,
		}}}
		if err := x.w.emit(r); err != nil {
			return err
		}
	}
	return nil
}
