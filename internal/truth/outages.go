package main

import (
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/compare"
)

// quiet is a topic that falls silent, and what came last is lost.
func (s *story) quiet() {
	silent := 1 + s.r.IntN(3)
	x := s.newStream("quiet", func(w int) int {
		if w < silent {
			return s.r.IntN(4)
		}
		return 0
	}, 0)
	hop := s.r.IntN(len(s.tiers) - 1)
	newest := int64(math.MinInt64)
	for _, l := range x.planned[0] {
		newest = max(newest, l.m.event)
	}
	x.carry(func(h int, _ int64, batch []*landing) (lost, doubled, altered []*landing) {
		if last := batch[len(batch)-1]; h == hop && last.m.event == newest {
			lost = []*landing{last}
			s.injected["tail lost"]++
		}
		return
	}, nil)
}

func nothing(int, int64, []*landing) (lost, doubled, altered []*landing) { return nil, nil, nil }

// standstill is a replicator that stands still at a hop, and goes on.
func (s *story) standstill() {
	n := 5 + s.r.IntN(20)
	x := s.newStream("standstill", func(int) int { return n }, 0)
	at := s.begin + s.size + s.r.Int64N(s.size)*2
	until := at + 2*s.size + s.r.Int64N(9*s.size)
	until = until/s.size*s.size + s.size/2
	stuck := s.r.IntN(len(s.tiers) - 1)
	x.carry(nothing, func(hop int, l *landing, due int64) int64 {
		if hop == stuck && due >= at && due < until {
			return until + s.r.Int64N(20_000)
		}
		return due
	})
	x.changes = append(x.changes, until)
	for t := until; t <= until+100_000; t += 5000 {
		x.changes = append(x.changes, t)
	}
	s.injected["standstill"]++
}

// replay is old messages that come once more.
func (s *story) replay() {
	n := 5 + s.r.IntN(20)
	x := s.newStream("replay", func(int) int { return n }, 0)
	x.carry(nothing, nil)
	window := s.begin + s.r.Int64N(3)*s.size
	at := window + 2*s.size + s.grace + s.r.Int64N(3*s.size)
	first, last := 0, len(s.tiers)-1
	switch s.r.IntN(3) {
	case 0: // from a tier on
		first = s.r.IntN(len(s.tiers))
		s.injected["replay from a tier on"]++
	case 1:
		first = s.r.IntN(len(s.tiers))
		last = first
		s.injected["replay into one tier"]++
	default:
		s.injected["replay"]++
	}
	if s.tiers[0].client() {
		first = max(first, 1)
		last = max(first, last)
	}
	var batch []*landing
	for _, l := range x.planned[first] {
		if l.m.event >= window && l.m.event < window+s.size {
			batch = append(batch, l)
		}
	}
	batch = s.some(batch, s.few())
	for i := first; i <= last; i++ {
		for k, l := range batch {
			x.planned[i] = append(x.planned[i], &landing{m: l.m, value: l.value, id: l.id, due: at + int64(i)*6000 + int64(k)*100})
		}
	}
	for t := at; t <= at+40_000; t += 5000 {
		x.changes = append(x.changes, t)
	}
}

// hanging is a message in a transaction at the last tier that ends late.
func (s *story) hanging() {
	n := 5 + s.r.IntN(20)
	x := s.newStream("hanging", func(int) int { return n }, 0)
	x.carry(nothing, nil)
	x.sort()
	last := len(s.tiers) - 1
	if len(s.tiers[last].places) != 1 || len(x.planned[last]) == 0 {
		return
	}
	i := s.r.IntN(max(1, len(x.planned[last])/2))
	l := x.planned[last][i]
	l.open = true
	end := l.due + 60_000 + s.r.Int64N(3*s.size)
	s.acts = append(s.acts, act{end, func() error { return s.w.Do("end %s commit tier=%s", x.name, s.tiers[last].name) }})
	x.downs = append(x.downs, downtime{l.due + 10_000, end})
	x.doubtful = append(x.doubtful, doubtful{}) // so that it is looked at in the end only
	x.doubtful = nil
	s.injected["hanging transaction"]++
}

// down stops counting for a while.
func (s *story) down(_ string, from, to int64) {
	s.acts = append(s.acts,
		act{from, func() error {
			if !s.w.Counting() {
				return nil
			}
			return s.w.Do("stop count")
		}},
		act{to, func() error {
			if s.w.Counting() {
				return nil
			}
			return s.w.Do("start count")
		}})
	s.downs = append(s.downs, downtime{from + 10_000, to - 10_000})
}

func (s *story) stopCollecting(from, to int64) {
	s.acts = append(s.acts,
		act{from, func() error {
			if !s.w.Collecting() {
				return nil
			}
			return s.w.Do("crash collect")
		}},
		act{to, func() error {
			if s.w.Collecting() {
				return nil
			}
			return s.w.Do("start collect")
		}})
}

// retention overtakes counting in one partition of a tier.
func (s *story) retention() {
	n := 20 + s.r.IntN(40)
	x := s.newStream("retention", func(int) int { return n }, 0)
	x.carry(nothing, nil)
	first := 0
	if s.tiers[0].client() {
		first = 1
	}
	tier := first + s.r.IntN(len(s.tiers)-first)
	from := s.begin + s.size + s.r.Int64N(s.size)
	to := from + 120_000 + s.r.Int64N(480_000)
	s.down("count", from, to)
	d := doubtful{reasons: []compare.Reason{compare.Missed, compare.Partial}, from: from - 2*s.size, to: to + 3*s.size, must: map[int64]bool{}}
	x.doubtful = append(x.doubtful, d)
	at := len(x.doubtful) - 1
	s.acts = append(s.acts, act{to - 1, func() error {
		place := s.tiers[tier].places[0]
		var left []*landing
		for _, l := range x.planned[tier] {
			if l.at > from+10_000 && x.place(tier, l) == place {
				left = append(left, l)
			}
		}
		if len(left) == 0 {
			return nil
		}
		l := left[s.r.IntN(len(left))]
		for _, o := range left {
			if o.partition == l.partition && o.offset <= l.offset {
				x.doubtful[at].must[o.m.event/s.size*s.size] = true
			}
		}
		s.injected["retention"]++
		return s.w.Retain(place, x.name, l.partition, l.offset+1)
	}})
	for t := from; t < to+20_000; t += 5000 {
		x.changes = append(x.changes, t)
	}
}

// truncated is a partition of the last tier that loses what had been counted.
func (s *story) truncated() {
	n := 20 + s.r.IntN(40)
	x := s.newStream("truncated", func(int) int { return n }, 0)
	x.carry(nothing, nil)
	tier := len(s.tiers) - 1
	at := s.begin + s.size + s.r.Int64N(2*s.size)
	x.doubtful = append(x.doubtful, doubtful{reasons: []compare.Reason{compare.Missed, compare.Partial}, from: at - 2*s.size, to: at + 3*s.size, must: map[int64]bool{}})
	s.acts = append(s.acts, act{at, func() error {
		place := s.tiers[tier].places[0]
		var there []*landing
		for _, l := range x.planned[tier] {
			if l.at > 0 && x.place(tier, l) == place {
				there = append(there, l)
			}
		}
		if len(there) == 0 || !s.w.Counting() {
			return nil
		}
		l := there[len(there)-1-s.r.IntN(min(5, len(there)))]
		for _, o := range there {
			if o.partition == l.partition && o.offset >= l.offset {
				x.doubtful[0].from = min(x.doubtful[0].from, o.m.event-s.size)
				x.doubtful[0].must[o.m.event/s.size*s.size] = true
			}
		}
		x.held[tier] = s.w.Clock() + 2*step.Milliseconds()
		s.injected["truncated"]++
		return s.w.Cut(place, x.name, l.partition, l.offset)
	}})
}

// recreated is a topic that is deleted and made again at the last tier, while nobody counts.
func (s *story) recreated() {
	n := 20 + s.r.IntN(40)
	x := s.newStream("recreated", func(int) int { return n }, 0)
	x.carry(nothing, nil)
	tier := len(s.tiers) - 1
	from := s.begin + s.size + s.r.Int64N(2*s.size)
	to := from + 60_000 + s.r.Int64N(300_000)
	s.down("count", from, to)
	x.doubtful = append(x.doubtful, doubtful{reasons: []compare.Reason{compare.Missed, compare.Partial}, from: from - 2*s.size, to: to + 3*s.size, must: map[int64]bool{}})
	s.acts = append(s.acts, act{to - 30_000, func() error {
		place := s.tiers[tier].places[0]
		if !s.w.Has(place, x.name) {
			return nil
		}
		for _, l := range x.planned[tier] {
			if l.at > from+10_000 && x.place(tier, l) == place {
				x.doubtful[0].must[l.m.event/s.size*s.size] = true
			}
		}
		s.injected["recreated"]++
		return s.w.Do("recreate %s tier=%s", x.name, place)
	}})
}

// grow adds partitions at every tier.
func (s *story) grow() {
	x := s.newStream("grown", s.rate(), 0)
	x.grownAt = s.begin + s.size + s.r.Int64N(2*s.size)
	x.grown = 9 + s.r.IntN(4)
	s.cells(x, 2)
	s.acts = append(s.acts, act{x.grownAt, func() error {
		for _, t := range s.tiers {
			for _, p := range t.places {
				if !s.w.Has(p, x.name) {
					if err := s.w.Topic(p, x.name, x.grown); err != nil {
						return err
					}
					continue
				}
				if err := s.w.Do("partitions %s %d tier=%s", x.name, x.grown, p); err != nil {
					return err
				}
			}
		}
		return nil
	}})
	s.injected["partitions added"]++
}

// filter is a hop that is expected to lose some.
func (s *story) filter() {
	n := 10 + s.r.IntN(20)
	x := s.newStream("filter", func(int) int { return n }, 0)
	x.name = "f" + x.name
	hop := s.r.IntN(len(s.tiers) - 1)
	x.explained[hop] = compare.Missing
	x.carry(func(h int, _ int64, batch []*landing) (lost, doubled, altered []*landing) {
		if h == hop {
			lost = s.some(batch, s.few())
		}
		return
	}, nil)
	s.injected["filter"]++
}

// compaction drops messages of the last tier before they are counted.
func (s *story) compaction() {
	n := 20 + s.r.IntN(40)
	x := s.newStream("compacted", func(int) int { return n }, 0)
	for _, l := range x.planned[0] {
		l.m.key = []byte{byte('a' + s.r.IntN(4))}
		l.id = idOf(l.m.key, l.value)
	}
	x.carry(nothing, nil)
	x.compacted = true
	from := s.begin + s.size + s.r.Int64N(2*s.size)
	to := from + 60_000 + s.r.Int64N(300_000)
	s.down("count", from, to)
	s.acts = append(s.acts, act{to - 1, func() error {
		place := s.tiers[len(s.tiers)-1].places[0]
		if !s.w.Has(place, x.name) {
			return nil
		}
		s.injected["compacted"]++
		return s.w.Do("compact %s tier=%s", x.name, place)
	}})
}

// applications is messages that were acknowledged and are not there, and some of which
// nobody knows whether they have come.
func (s *story) applications() {
	n := 10 + s.r.IntN(20)
	x := s.newStream("applications", func(int) int { return n }, 0)
	plan := map[int64]int{}
	x.carry(func(hop int, w int64, batch []*landing) (lost, doubled, altered []*landing) {
		if hop > 0 {
			return
		}
		if _, ok := plan[w]; !ok {
			plan[w] = s.r.IntN(4)
		}
		switch plan[w] {
		case 0:
			lost = s.some(batch, s.few())
			s.injected["acknowledged and not there"]++
		case 1:
			for _, l := range s.some(batch, 1+s.r.IntN(4)) {
				l.m.unanswered = true
				if s.r.IntN(2) == 0 {
					lost = append(lost, l)
				}
			}
			s.injected["unanswered"]++
		}
		return
	}, nil)
}

// vanished is an application that falls silent, with messages that it had not reported,
// and for ever, or comes back.
func (s *story) vanished() {
	n := 20 + s.r.IntN(40)
	x := s.newStream("vanished", func(int) int { return n }, 0)
	x.carry(nothing, nil)
	app := s.apps[s.r.IntN(len(s.apps))]
	at := s.begin + s.size + s.r.Int64N(2*s.size)
	back := at + s.gone/2 + s.r.Int64N(2*s.gone)
	again := s.r.IntN(2) == 0
	s.acts = append(s.acts, act{at, func() error { return s.w.Do("app %s vanish", app) }})
	until := at + s.gone
	if again {
		s.acts = append(s.acts, act{back, func() error { return s.w.Do("app %s start", app) }})
		until = min(until, back)
		s.injected["vanished and came back"]++
	} else {
		s.injected["vanished"]++
	}
	for _, y := range s.lines { // it sends to all of them
		others := slices.DeleteFunc(slices.Clone(s.apps), func(a string) bool { return a == app })
		for _, l := range y.planned[0] {
			switch {
			case l.m.app != app || l.due < at+20_000 || again && l.due > back:
			case len(others) > 0:
				l.m.app = others[s.r.IntN(len(others))]
			default: // nobody sends it
				l.m.withdrawn = true
			}
		}
		y.downs = append(y.downs, downtime{at + 40_000, until - 10_000})
		d := doubtful{reasons: []compare.Reason{compare.Vanished}, from: at - 60_000 - s.grace, to: at + 120_000, must: map[int64]bool{}}
		if again {
			d.to = back + 120_000
		}
		y.doubtful = append(y.doubtful, d)
		for t := until; t < until+60_000; t += 5000 {
			y.changes = append(y.changes, t)
		}
	}
}
