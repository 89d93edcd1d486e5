package alerts

import (
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// current finds what is so in the newest settled window of a topic, and since when: over
// how many windows before it. The verdicts are those of the topic, by start.
func (f *finder) current(list []*compare.Verdict, s *compare.Standing) {
	newest := len(list) - 1
	for newest >= 0 && !list[newest].State.Settled() {
		newest--
	}
	if newest < 0 || list[newest].Start < f.recent {
		return
	}
	v := list[newest]
	if s != nil && s.Until >= v.Window().End()+v.Size || v.Window().End()*1000 < f.asOf-f.r.c.Span.Milliseconds() {
		return // newer windows are settled, and empty
	}
	for _, rule := range f.rules {
		for i := range v.Tiers {
			c := &v.Tiers[i]
			if !rule.aboutTier(c.Tier) {
				continue
			}
			says, n, bad := rule.bad(c)
			if !bad {
				continue
			}
			h := &hit{rule: rule, Cause: query.Cause{To: c.Tier, Subject: string(rule.Subject)}, window: v.Window(), counted: true, messages: n, began: v.Final, says: says, tiers: v.Tiers}
			h.Datacenter = same(c.Datacenters, func(d *compare.Datacenter) string { return d.Name })
			for k := newest - 1; k >= 0; k-- {
				before := list[k]
				if !before.State.Settled() || before.Size != v.Size || before.Window().End() != list[k+1].Start {
					break
				}
				other := countOf(before, c.Tier)
				if other == nil {
					break
				}
				if _, _, bad := rule.bad(other); !bad {
					break
				}
				h.began = min(h.began, before.Final)
			}
			f.add(h)
		}
	}
}

// bad says whether a rule finds something in what a tier has counted, in how many
// messages, and how it is said.
func (x *rule) bad(c *compare.Count) (says string, n uint64, bad bool) {
	switch x.Subject {
	case Latency:
		return x.slow(c.Latency, "from event to record", c.Tier)
	case Arrival:
		return x.slow(c.Arrival, "from event to counting", c.Tier)
	case Skew:
		for _, p := range []*compare.Percentiles{c.Latency, c.Arrival} {
			if p != nil && p.Negative > x.Messages && millis(p.NegativeMax) > x.Above {
				return fmt.Sprintf("%d of %d messages at %s are from the future, by up to %s: a clock is wrong",
					p.Negative, c.Messages, c.Tier, short(millis(p.NegativeMax))), p.Negative, true
			}
		}
	case NoTime:
		return fmt.Sprintf("%d of %d messages at %s have no event time", c.NoTime, c.Messages, c.Tier), c.NoTime, x.part(c.NoTime, c.Messages)
	case Malformed:
		return fmt.Sprintf("%d of %d messages at %s cannot be read by their codec", c.Malformed, c.Messages, c.Tier), c.Malformed, x.part(c.Malformed, c.Messages)
	}
	return "", 0, false
}

func (x *rule) slow(p *compare.Percentiles, what, tier string) (says string, n uint64, bad bool) {
	if p == nil || p.Count == 0 || p.Count < x.Messages || millis(int64(p.P99)) <= x.Above {
		return "", 0, false
	}
	return fmt.Sprintf("one in a hundred messages at %s took longer than %s %s", tier, short(millis(int64(p.P99))), what), p.Count, true
}

func (x *rule) part(n, of uint64) bool { return n > x.Messages && float64(n) > x.Ratio*float64(of) }

func millis(ms int64) time.Duration {
	const most = int64(1<<63-1) / int64(time.Millisecond)
	return time.Duration(min(max(ms, -most), most)) * time.Millisecond
}

// short is a duration as people say it: seconds do not matter beside hours, and what
// changes at every moment would make an alert change with it.
func short(d time.Duration) string {
	switch {
	case d >= 2*time.Minute:
		d = d.Truncate(time.Minute)
		if d%time.Hour == 0 {
			return fmt.Sprintf("%dh", d/time.Hour)
		}
		if d > time.Hour {
			return fmt.Sprintf("%dh%dm", d/time.Hour, d%time.Hour/time.Minute)
		}
		return fmt.Sprintf("%dm", d/time.Minute)
	case d >= time.Second:
		return d.Truncate(time.Second).String()
	}
	return d.Truncate(time.Millisecond).String()
}
