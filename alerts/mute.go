package alerts

import (
	"slices"
	"time"
)

// muted gives the mute that keeps a hit back, at a moment by the wall clock: one that
// holds now, or held in its window. What maintenance has lost is not told of when it is
// over.
func (r *Rules) muted(h *hit, class string, now int64) string {
	for i := range r.mutes {
		m := &r.mutes[i]
		switch {
		case len(m.rules) > 0 && !matches(m.rules, h.rule.Name):
		case len(m.topics) > 0 && !matches(m.topics, h.topic):
		case len(m.Classes) > 0 && !slices.Contains(m.Classes, class):
		case m.holds(now, now+1), h.counted && m.holds(h.window.Start*1000, h.window.End()*1000):
			return m.Name
		}
	}
	return ""
}

// holds says whether a mute holds at some moment in [from, to), Unix milliseconds.
func (m *Mute) holds(from, to int64) bool {
	if !m.From.IsZero() {
		from = max(from, m.From.UnixMilli())
	}
	if !m.To.IsZero() {
		to = min(to, m.To.UnixMilli())
	}
	if from >= to {
		return false
	}
	if len(m.Days) == 0 && m.Hours == [2]time.Duration{} {
		return true
	}
	zone := m.Zone
	if zone == nil {
		zone = time.UTC
	}
	begin, end := time.UnixMilli(from).In(zone), time.UnixMilli(to).In(zone)
	// From the day before: what begins then may last past midnight.
	day := time.Date(begin.Year(), begin.Month(), begin.Day()-1, 0, 0, 0, 0, zone)
	for n := 0; day.Before(end) && n < 10; n++ { // after a week all is said
		if len(m.Days) == 0 || slices.Contains(m.Days, day.Weekday()) {
			if a, b := m.on(day); a.Before(end) && b.After(begin) {
				return true
			}
		}
		day = time.Date(day.Year(), day.Month(), day.Day()+1, 0, 0, 0, 0, zone)
	}
	return false
}

// on is from when to when it holds that begins on a day. Hours are those of the clock on
// the wall, also on a day of 23.
func (m *Mute) on(day time.Time) (from, to time.Time) {
	at := func(d time.Duration, days int) time.Time {
		return time.Date(day.Year(), day.Month(), day.Day()+days, 0, int(d/time.Minute), 0, 0, day.Location())
	}
	if m.Hours == [2]time.Duration{} {
		return at(0, 0), at(0, 1)
	}
	if m.Hours[1] <= m.Hours[0] {
		return at(m.Hours[0], 0), at(m.Hours[1], 1)
	}
	return at(m.Hours[0], 0), at(m.Hours[1], 0)
}
