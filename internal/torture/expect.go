package torture

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// An expectation bounds what may be said about a cell. Nearly always both
// bounds are the same, and then every field must agree.
type expectation struct{ least, most *count }

func (e *expectation) exact() bool { return e.least.equal(e.most) }

// met says whether a count is as expected. Between two bounds it is the numbers
// of messages and bytes that are looked at.
func (e *expectation) met(c *count, less bool) bool {
	if !e.exact() {
		return e.least.Count <= c.Count && c.Count <= e.most.Count && e.least.Bytes <= c.Bytes && c.Bytes <= e.most.Bytes
	}
	if less {
		return plainer(e.most).equal(c)
	}
	return e.most.equal(c)
}

// recounted is what the logs hold in the end, beside what was remembered.
type recounted map[audit.Source]map[int64]bool

// recount reads the audited logs once more: messages that were written without
// an acknowledgement, or in transactions, are known only now. And what was
// acknowledged must be there, else nothing can be judged.
func (w *world) recount(ctx context.Context) (recounted, error) {
	found := recounted{}
	for _, t := range w.traffic.list() {
		if err := w.reread(ctx, t, found); err != nil {
			return nil, err
		}
	}
	if len(w.truth.conflict) > 0 {
		return nil, fmt.Errorf("recount: other messages than were written: %v", w.truth.conflict[:min(len(w.truth.conflict), 5)])
	}
	return found, w.allThere(found)
}

// reread reads a topic whole, into the truth.
func (w *world) reread(ctx context.Context, t topic, found recounted) error {
	id := w.traffic.id(t.cluster, t.name)
	var failed error
	err := readLog(ctx, w.clusters[t.cluster].Brokers(), t.name, t.kind == compacted, func(r *kgo.Record) {
		src := audit.Source{Cluster: t.cluster, Topic: t.name, TopicID: id, Partition: r.Partition}
		m, err := w.truth.of(r, t.codec != "")
		if err != nil {
			failed = err
			return
		}
		if found[src] == nil {
			found[src] = map[int64]bool{}
		}
		found[src][r.Offset] = true
		w.truth.add(src, m)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return fmt.Errorf("recount: %w", err)
	}
	return nil
}

// allThere says whether Kafka kept what it had acknowledged.
func (w *world) allThere(found recounted) error {
	for _, src := range w.truth.list() {
		w.mu.Lock()
		gone := w.gone[incarnation(src)]
		w.mu.Unlock()
		if k := w.kind(src); gone || k != plain && k != recreated {
			continue
		}
		for _, m := range w.truth.log(src) {
			if !found[src][m.offset] {
				return fmt.Errorf("recount: %s offset %d was acknowledged and is not in the log: Kafka lost it, and the audit cannot be judged", src, m.offset)
			}
		}
	}
	return nil
}

func incarnation(src audit.Source) string {
	return key(src.Cluster, src.Topic) + "/" + src.TopicID.String()
}

func (w *world) kind(src audit.Source) kind {
	w.traffic.mu.Lock()
	defer w.traffic.mu.Unlock()
	return w.traffic.kindOf(src.Cluster, src.Topic)
}

// expect says what is expected of every cell, given what is said to be missed.
func (w *world) expect(found recounted, said *listener) map[cell]*expectation {
	e := map[cell]*expectation{}
	for _, src := range w.truth.list() {
		missed, twice := said.missedOf(src), said.overlap(src)
		w.mu.Lock()
		gone := w.gone[incarnation(src)]
		cuts := w.cuts[src.String()]
		w.mu.Unlock()
		kind := w.kind(src)
		log := w.truth.log(src)
		at := func(m *message) *expectation {
			c := cellOf(src, m.window)
			if e[c] == nil {
				e[c] = &expectation{newCount(), newCount()}
			}
			return e[c]
		}
		exact := w.exact(src, cuts)
		first := int64(math.MaxInt64) // from where on messages may be missing, though they are in the log
		for _, cut := range cuts {
			for i := range cut.before {
				if m := &cut.before[i]; m.offset >= cut.from { // it may have been counted
					at(m).most.add(m)
				}
			}
			if !exact {
				first = min(first, cut.from)
			}
		}
		for i := range log {
			m := &log[i]
			e := at(m)
			e.most.add(m)
			if twice[m.window] && kind != plain && kind != transactional {
				e.most.add(m)
			}
			switch {
			case twice[m.window] && kind != plain && kind != transactional:
			case gone, within(missed, m.offset) && len(cuts) == 0, m.offset >= first, kind == compacted && !found[src][m.offset]:
			default:
				e.least.add(m)
			}
		}
	}
	return e
}

// A difference is a cell about which a reader is wrong.
type difference struct {
	reader string
	cell   cell
	got    *count
	want   *expectation
}

func (d *difference) String() string {
	got := d.got
	if d.want == nil {
		return fmt.Sprintf("%s by %s: nothing is in it\n  it says   %s", d.cell, d.reader, got)
	}
	s := fmt.Sprintf("%s by %s\n  it says   %s\n  the truth %s", d.cell, d.reader, got, d.want.most)
	if !d.want.exact() {
		s += fmt.Sprintf("\n  at least  %s", d.want.least)
	}
	return s
}

// compare gives the cells that a reader is wrong about.
func compare(r reader, got counts, want map[cell]*expectation) (wrong []difference) {
	for c, e := range want {
		g := got[c]
		if g == nil {
			g = newCount()
			if e.least.Count == 0 {
				continue
			}
		}
		if !e.met(g, r.less) {
			wrong = append(wrong, difference{r.name, c, g, e})
		}
	}
	for c, g := range got {
		if want[c] == nil {
			wrong = append(wrong, difference{r.name, c, g, nil})
		}
	}
	slices.SortFunc(wrong, func(a, b difference) int { return compareCells(a.cell, b.cell) })
	return wrong
}
