package main

import "slices"

// truth is what is so between two tiers, in a window, at a moment: by what came to them,
// and not by what anybody counted.
type truth struct {
	lost, extra map[uint64]int // by id
	altered     map[uint64]uint64
	nLost       uint64
	nExtra      uint64
	nAltered    uint64
	from, to    uint64 // messages
	unanswered  map[uint64]int
}

func (t *truth) none() bool { return t.nLost|t.nExtra|t.nAltered == 0 }

func (t *truth) distinct() int { return len(t.lost) + len(t.extra) + 2*len(t.altered) }

// at gives the landings of a window that had come to a tier at a moment.
func (x *stream) at(tier int, window, moment int64) (list []*landing) {
	for _, l := range x.planned[tier] {
		if l.at > 0 && l.at <= moment && l.m.event >= window && l.m.event < window+x.s.size {
			list = append(list, l)
		}
	}
	return list
}

func answered(list []*landing) []*landing {
	return slices.DeleteFunc(list, func(l *landing) bool { return l.m.unanswered })
}

// truthOf a hop. Partition is that of the tier before and after, where messages keep it;
// -1 is all.
func (x *stream) truthOf(hop int, window, moment int64, partition int) *truth {
	t := &truth{lost: map[uint64]int{}, extra: map[uint64]int{}, altered: map[uint64]uint64{}, unanswered: map[uint64]int{}}
	from, to := x.at(hop, window, moment), x.at(hop+1, window, moment)
	if x.s.tiers[hop].client() {
		for _, l := range from {
			if l.m.unanswered {
				t.unanswered[l.id]++
			}
		}
		from = answered(from)
	}
	for _, l := range from {
		if partition < 0 || l.partition == partition {
			t.lost[l.id]++
			t.from++
		}
	}
	was := map[uint64]uint64{}
	for _, l := range to {
		if partition >= 0 && l.partition != partition {
			continue
		}
		t.to++
		if l.was != 0 {
			was[l.id] = l.was
		}
		if t.lost[l.id]--; t.lost[l.id] < 0 {
			t.extra[l.id]++
			t.lost[l.id] = 0
		}
	}
	for id, n := range t.lost {
		if n == 0 {
			delete(t.lost, id)
		}
	}
	for id, old := range was {
		if t.extra[id] > 0 && t.lost[old] > 0 { // each is altered once
			t.altered[old] = id
			t.nAltered++
			decrement(t.extra, id)
			decrement(t.lost, old)
		}
	}
	for _, n := range t.lost {
		t.nLost += uint64(n)
	}
	for _, n := range t.extra {
		t.nExtra += uint64(n)
	}
	return t
}

func decrement(m map[uint64]int, id uint64) {
	if m[id]--; m[id] == 0 {
		delete(m, id)
	}
}
