package alerts

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A group is the hits of one rule that one failure has made.
type group struct {
	id   string
	hits []*hit
}

// base is what hits of one cause have in common, but for the place.
func (h *hit) base() string {
	c := &h.Cause
	return strings.Join([]string{h.rule.Name, c.Pipeline, c.From, c.To, c.Subject, string(c.Reason)}, "/")
}

// place is where, as far as all agree who know it: a cluster, or a datacenter.
func (h *hit) place() string {
	switch {
	case h.Cluster != "":
		return "cluster " + h.Cluster
	case h.Datacenter != "":
		return "datacenter " + h.Datacenter
	}
	return ""
}

// groups puts hits together by their cause, which those of alerts that are there already
// stay with: what groups hits must not change while an alert lives.
//
// A hit that does not know its place, because its messages cannot be told one by one,
// belongs to the alert of its cause that began first; where there is none yet, to the one
// place that others have, if they have only one. And where an alert began without a
// place, those that know theirs join it.
func groups(hits []*hit, live map[string]int64) []*group {
	places, first := map[string]map[string]bool{}, map[string]string{} // by base
	for _, id := range slices.SortedFunc(maps.Keys(live), func(a, b string) int { return cmp.Or(cmp.Compare(live[a], live[b]), cmp.Compare(a, b)) }) {
		base, place, _ := strings.Cut(id, "@")
		if places[base] == nil {
			first[base] = place
		}
		note(places, base, place)
	}
	for _, h := range hits {
		base, p := h.base(), h.place()
		if p != "" && !places[base][""] {
			note(places, base, p)
		}
	}
	all := map[string]*group{}
	for _, h := range hits {
		base, place := h.base(), h.place()
		began, any := first[base]
		switch known := places[base]; {
		case known[place]:
		case known[""]:
			place = ""
		case place == "" && any:
			place = began
		case place == "" && len(known) == 1:
			place = only(known)
		}
		id := base + "@" + place
		g := all[id]
		if g == nil {
			g = &group{id: id}
			all[id] = g
		}
		g.hits = append(g.hits, h)
	}
	return slices.SortedFunc(maps.Values(all), func(a, b *group) int { return cmp.Compare(a.id, b.id) })
}

func note(places map[string]map[string]bool, base, place string) {
	if places[base] == nil {
		places[base] = map[string]bool{}
	}
	places[base][place] = true
}

func only(set map[string]bool) string {
	for k := range set {
		return k
	}
	return ""
}

// key of an alert that began at a moment.
func (g *group) key(since int64) string {
	return fmt.Sprintf("%s-%016x-%d", g.hits[0].rule.Name, xxh3.HashString(g.id), since)
}

func (g *group) began() int64 {
	first := g.hits[0].began
	for _, h := range g.hits {
		first = min(first, h.began)
	}
	return first
}

// describe fills in what the hits say of an alert.
func (g *group) describe(e *Entry) {
	a := &e.Alert
	a.Cause = g.hits[0].Cause
	a.Cluster = same(g.hits, func(h **hit) string { return (*h).Cluster })
	a.Datacenter = same(g.hits, func(h **hit) string { return (*h).Datacenter })
	a.Start, a.End, a.Windows, a.Messages, a.Bound = 0, 0, 0, 0, ""
	e.Until = 0
	topics, windows := map[string]*Member{}, map[string]bool{}
	worst := map[string]*hit{}
	muted := 0
	for _, h := range g.hits {
		if h.muted != "" {
			muted++
		}
		e.Until = max(e.Until, h.until)
		m := topics[h.topic]
		if m == nil {
			m = &Member{Topic: h.topic}
			topics[h.topic] = m
		}
		if w := worst[h.topic]; w == nil || h.messages > w.messages {
			worst[h.topic] = h
		}
		m.Messages += h.messages
		m.Bound = looser(m.Bound, h.bound)
		a.Messages += h.messages
		a.Bound = looser(a.Bound, h.bound)
		if !h.counted {
			continue
		}
		m.Windows++
		windows[fmt.Sprint(h.window)] = true
		if a.Start == 0 || h.window.Start < a.Start {
			a.Start = h.window.Start
		}
		a.End = max(a.End, h.window.End())
	}
	a.Affected, a.Windows = len(topics), len(windows)
	a.Muted = ""
	if muted == len(g.hits) {
		a.Muted = g.hits[0].muted
	}
	members := slices.SortedFunc(maps.Values(topics), func(x, y *Member) int {
		return cmp.Or(cmp.Compare(y.Messages, x.Messages), cmp.Compare(x.Topic, y.Topic))
	})
	a.Topics, e.Members = []string{}, nil
	for _, m := range members[:min(len(members), query.MostTopics)] {
		h := worst[m.Topic]
		m.Start, m.Size, m.Says = h.window.Start, h.window.Size, h.says
		for i := range h.tiers {
			m.Tiers = append(m.Tiers, TierCount{h.tiers[i].Tier, h.tiers[i].Messages})
		}
		if m.Topic != "" {
			a.Topics = append(a.Topics, m.Topic)
		}
		e.Members = append(e.Members, *m)
	}
	if len(a.Topics) == 0 {
		a.Affected = 0 // it is about no topic
	}
}

// looser is the bound of a sum.
func looser(a, b compare.Bound) compare.Bound {
	switch {
	case a == b || b == compare.Exactly:
		return a
	case a == compare.Exactly:
		return b
	}
	return compare.Unbounded // at least and at most, or one that is
}
