package scenario

import (
	"cmp"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// said is what a session has said of a topic, and when.
type said struct {
	sequence int64
	sources  map[int32]audit.SourceProgress
	at       int64
}

// again says whether it is to be said again.
func (s *said) again(clock int64, sources map[int32]audit.SourceProgress) bool {
	return s.sequence == 0 || !maps.Equal(s.sources, sources) || clock-s.at >= progressAtLeast
}

// progressAtLeast is how often what has not changed is said, in milliseconds. (After a
// quarter of an hour counting says it half as often.)
const progressAtLeast = 5_000

// progress says how far sources are durably counted, where that has changed or was
// not said for long, and which topics are not there.
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
			_, gone := s.gone[x.Source]
			sources[x.Partition] = x.progress(gone)
		}
		before := s.said[t]
		if !before.again(s.w.clock, sources) {
			continue
		}
		now := said{before.sequence + 1, sources, s.w.clock}
		s.said[t] = now
		id := byTopic[t][0].subject.Identity
		id.Window, id.Partition, id.Instance = audit.Window{}, audit.NoPartition, s.owner
		rec := &audit.Record{
			Kind: audit.KindProgress, Identity: id, Version: now.sequence, Owner: s.owner, Host: s.owner,
			Progress: &audit.Progress{Partitions: int32(len(t.partitions)), Compacted: t.compacted},
		}
		rec.Progress.AskedAfter = s.w.arrived[rec.IdentityKey()]
		for _, p := range slices.Sorted(maps.Keys(sources)) {
			rec.Progress.Sources = append(rec.Progress.Sources, sources[p])
		}
		if err := s.w.emit(rec); err != nil {
			return err
		}
	}
	return s.sayAbsent()
}

// sayAbsent says which topics a cluster does not have that another one has, or that
// were counted there.
func (s *session) sayAbsent() error {
	for _, p := range s.w.places {
		for _, name := range s.w.topics {
			known := slices.ContainsFunc(s.w.places, func(o *place) bool { return o.topics[name] != nil })
			for src := range s.gone {
				known = known || src.Cluster == p.cluster() && src.Topic == name
			}
			k := [2]string{p.cluster(), name}
			before := s.absent[k]
			if !known || p.topics[name] != nil || !before.again(s.w.clock, nil) {
				continue
			}
			now := said{before.sequence + 1, nil, s.w.clock}
			s.absent[k] = now
			rec := &audit.Record{
				Kind: audit.KindProgress, Version: now.sequence, Owner: s.owner, Host: s.owner, Progress: &audit.Progress{},
				Identity: audit.Identity{Tier: p.tier, Datacenter: p.dc, Cluster: k[0], Topic: name, Partition: audit.NoPartition, Instance: s.owner},
			}
			rec.Progress.AskedAfter = s.w.arrived[rec.IdentityKey()]
			if err := s.w.emit(rec); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *source) progress(gone bool) audit.SourceProgress {
	l := x.c.Durable()
	p := audit.SourceProgress{
		Partition: x.Partition, Generation: l.Generation, Base: l.Base, Segment: l.Segment, Start: l.Start, Next: l.Next, Total: l.Total,
		Time: l.LastTime, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: audit.CaughtUpUnknown,
	}
	if gone {
		return p
	}
	p.LogStart, p.End, p.HighWatermark, p.CaughtUp = x.log.start, x.topic.stable(x.log), x.log.end, audit.CaughtUpNo
	if p.Next == p.End {
		p.CaughtUp = audit.CaughtUpYes
	}
	return p
}

// sayRecreated states, once, that the end of a topic that was deleted and made
// again is unknown.
func (s *session) sayRecreated() error {
	for _, src := range slices.SortedFunc(maps.Keys(s.gone), func(a, b audit.Source) int {
		return cmp.Compare(counter.SourcePrefix(a), counter.SourcePrefix(b))
	}) {
		i := slices.IndexFunc(s.w.places, func(p *place) bool { return p.cluster() == src.Cluster })
		if s.w.places[i].topics[src.Topic] == nil || !s.gone[src] {
			continue
		}
		s.gone[src] = false
		led := s.newest(src)
		if led.Total == 0 {
			continue
		}
		subject, err := s.subject(src, s.w.places[i])
		if err != nil {
			return err
		}
		if err := s.w.emit(subject.Missed(s.owner, &counter.Ledger{
			Generation: led.Generation + 1, Base: led.Base, Start: led.Next,
			Missed: &counter.Gap{From: led.Next, To: led.Next, Reason: audit.MissedRecreated, Since: led.LastTime},
		})); err != nil {
			return err
		}
	}
	return nil
}

// newest is the durable ledger of a source.
func (s *session) newest(src audit.Source) (newest counter.Ledger) {
	if x := s.sources[src]; x != nil {
		return x.c.Durable()
	}
	for _, e := range s.found[src] {
		if l := e.Ledger; l != nil && (l.Generation > newest.Generation || l.Generation == newest.Generation && l.Next > newest.Next) {
			newest = *l
		}
	}
	return newest
}
