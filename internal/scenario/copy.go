package scenario

import (
	"bytes"

	"github.com/chaperone-audit/chaperone/codecs"
)

// A route is what one replicator copies.
type route struct {
	from *topic
	to   *place
}

// copy is a replicator: it carries on what it has not yet copied. A message
// keeps its timestamp, if the tier it comes to lets it.
func (w *world) copy(a *args) error {
	from, err := w.place(a, a.word(1))
	if err != nil {
		return err
	}
	to, err := w.place(a, a.word(3))
	if err != nil {
		return err
	}
	source := from.topics[a.word(0)]
	if source == nil || from == to {
		return a.fail("there is no topic %q at tier %s to be copied to %s", a.word(0), from, to)
	}
	done := w.copied[route{source, to}]
	if done == nil {
		done = map[*entry]bool{}
		w.copied[route{source, to}] = done
	}
	n := a.number("n", budget, 1, budget)
	var batch []*entry
	waits := map[*log]bool{} // behind an open transaction
	for _, e := range source.order {
		waits[e.log] = waits[e.log] || !e.gone && e.of != nil && !e.of.ended
		if !done[e] && !waits[e.log] && e.shown() && len(batch) < n {
			done[e] = true
			batch = append(batch, e)
		}
	}
	pick := picker{n: len(batch)}
	lost, altered, twice := pick.some(a, "lose"), pick.some(a, "alter"), pick.some(a, "duplicate")
	delay := a.duration("delay", 0)
	if a.err != nil {
		return a.err
	}
	if w.messages += 2 * len(batch); w.messages > budget {
		return a.fail("more than %d messages in a script", budget)
	}
	target := w.topicAt(to, source.name)
	now := w.clock
	arrive := func(e *entry, altered bool) {
		m := e.Message
		if altered {
			m.Value = alter(m.Value)
		}
		arrival := max(m.Time, 0) + delay.Milliseconds()
		w.clock = max(w.clock, arrival)
		m.TimeType = codecs.CreateTime
		if to.appends {
			m.Time, m.TimeType = max(now, arrival), codecs.LogAppendTime
		}
		target.put(target.partitionOf(m.Key), m, nil)
	}
	for i, e := range batch {
		if !lost[i] {
			arrive(e, altered[i])
		}
	}
	for i, e := range batch { // delivered once more, after all
		if twice[i] {
			arrive(e, false)
		}
	}
	return nil
}

// alter changes one byte and neither the size nor the event time.
func alter(v []byte) []byte {
	if len(v) < 3 {
		return []byte(`{}`)
	}
	v = bytes.Clone(v)
	v[len(v)-3]++ // the last of the padding
	return v
}
