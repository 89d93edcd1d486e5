package main

import (
	"slices"
)

// plan chooses topics and what befalls them.
func (s *story) plan(roles []string) error {
	if i := slices.Index(roles, "vanished"); i >= 0 { // it befalls all that are there
		roles = append(slices.Delete(roles, i, i+1), "vanished")
	}
	// An instance that is paused and wakes up where a log was cut, or compacted, counts in
	// its old generation what its successor does in a new one: see the scenario
	// zombie-overlaps-a-new-generation. That is not the judge's.
	s.calm = s.calm || slices.ContainsFunc(roles, func(r string) bool {
		return slices.Contains([]string{"compacted", "retention", "truncated", "recreated"}, r)
	})
	for _, role := range roles {
		switch role {
		case "cells":
			s.cells(s.newStream(role, s.rate(), 0), 3)
		case "quiet":
			s.quiet()
		case "new":
			from := s.begin + s.size + s.r.Int64N(2*s.size)
			s.cells(s.newStream(role, s.rate(), from), 1)
			s.injected["new topic"]++
		case "standstill":
			s.standstill()
		case "replay":
			s.replay()
		case "hanging":
			s.hanging()
		case "retention":
			s.retention()
		case "truncated":
			s.truncated()
		case "recreated":
			s.recreated()
		case "grown":
			s.grow()
		case "filter":
			s.filter()
		case "compacted":
			s.compaction()
		case "applications":
			s.applications()
		case "vanished":
			s.vanished()
		}
	}
	switch s.r.IntN(4) {
	case 0:
		if len(s.downs) > 0 {
			break // one at a time
		}
		from := s.begin + s.size + s.r.Int64N(2*s.size)
		s.down("count", from, from+300_000+s.r.Int64N(900_000))
		s.injected["counter down"]++
	case 1:
		from := s.begin + s.size + s.r.Int64N(2*s.size)
		s.stopCollecting(from, from+60_000+s.r.Int64N(1_200_000))
		s.injected["collector down"]++
	}
	return s.judged()
}

// roles are what topics may be in for. Those of applications need some.
func (s *story) roles() (list []string) {
	all := []string{"standstill", "replay", "replay", "hanging", "retention", "truncated", "recreated", "grown", "filter", "compacted", "new", "quiet"}
	if len(s.apps) > 0 {
		all = append(all, "applications", "applications", "vanished")
	}
	list = append(list, "cells", "cells", "quiet")
	alone := false // those that stop counting stop it for all
	for range 2 + s.r.IntN(2) {
		role := all[s.r.IntN(len(all))]
		if slices.Contains([]string{"retention", "compacted", "recreated", "vanished"}, role) {
			if alone {
				continue
			}
			alone = true
		}
		list = append(list, role)
	}
	return list
}

// rate is how many messages come in a window.
func (s *story) rate() func(int) int {
	switch s.r.IntN(3) {
	case 0:
		return func(int) int { return s.r.IntN(4) }
	case 1:
		return func(int) int { return 20 + s.r.IntN(20) }
	}
	n := 5 + s.r.IntN(50)
	return func(int) int { return n }
}

// some chooses n of a batch, or all of a smaller one.
func (s *story) some(batch []*landing, n int) []*landing {
	list := slices.Clone(batch)
	s.r.Shuffle(len(list), func(i, k int) { list[i], list[k] = list[k], list[i] })
	return list[:min(n, len(list))]
}

// few is mostly 1, at times a few, and seldom many.
func (s *story) few() int {
	switch s.r.IntN(6) {
	case 0, 1, 2:
		return 1
	case 3, 4:
		return 2 + s.r.IntN(3)
	}
	return 5 + s.r.IntN(15)
}

// single are those that are there once: one of two copies that is altered looks as if the
// other had been too many.
func single(batch []*landing) (list []*landing) {
	n := map[uint64]int{}
	for _, l := range batch {
		n[l.id]++
	}
	for _, l := range batch {
		if n[l.id] == 1 {
			list = append(list, l)
		}
	}
	return list
}

type cell struct {
	hop    int
	window int64
}

// cells befalls a topic with losses, repetitions and alterations, in so many cells at least.
func (s *story) cells(x *stream, n int) {
	plan := map[cell]string{}
	kinds := []string{"loss", "loss", "loss", "duplicates", "duplicates", "altered", "both", "both", "mixture", "all lost", "one often"}
	for range n + s.r.IntN(4) {
		plan[cell{s.r.IntN(len(s.tiers) - 1), s.begin + s.r.Int64N((s.end-s.begin)/s.size)*s.size}] = kinds[s.r.IntN(len(kinds))]
	}
	x.carry(func(hop int, window int64, batch []*landing) (lost, doubled, altered []*landing) {
		kind := plan[cell{hop, window}]
		if kind == "" {
			return
		}
		switch kind {
		case "loss":
			lost = s.some(batch, s.few())
		case "duplicates":
			doubled = s.some(batch, s.few())
		case "altered":
			altered = s.some(single(batch), s.few())
		case "all lost":
			lost = batch
		case "one often":
			doubled = s.some(batch, 1)
			for range s.r.IntN(6) {
				doubled = append(doubled, doubled[0])
			}
			rest := slices.DeleteFunc(slices.Clone(batch), func(l *landing) bool { return len(doubled) > 0 && l.id == doubled[0].id })
			altered = s.some(single(rest), s.r.IntN(4))
		default:
			list := s.some(single(batch), len(batch))
			a := min(len(list), s.few())
			lost, list = list[:a], list[a:]
			b := min(len(list), s.few())
			if s.r.IntN(2) == 0 {
				b = min(len(list), a) // so that the numbers agree
			}
			doubled, list = list[:b], list[b:]
			if kind == "mixture" {
				altered = s.some(single(list), s.few())
			}
		}
		if len(lost)+len(doubled)+len(altered) > 0 {
			s.injected[kind]++
		}
		return lost, doubled, altered
	}, nil)
}
