package collect

import (
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// due is the newest version of an identity before the committed position: since
// nobody reads it again, it must be in the table until it may go.
type due struct {
	record  *audit.Record
	row     table.Row // as it would be stored
	version int64
}

// commit is the coordinator's: what is before the position is due from now on.
func (w *world) commit(p *partition, next int64) {
	for ; p.committed < next; p.committed++ {
		m := &p.log[p.committed]
		switch {
		case m.record == nil:
		case m.placed:
			w.owe(p, m)
			w.checkHeld(p, m.identity, "its record was committed")
		default:
			row := table.Of(m.record, nil, m.Appended, m.Offset)
			if !row.Old(p.now, w.horizon) && !w.home(m.record.Key()).arrived[string(m.Value)] {
				w.fail("partition %d: offset %d is committed, and %s has not arrived at its place", p.number, m.Offset, m.identity)
			}
		}
	}
}

func dueOf(m *logged) due {
	return due{m.record, table.Of(m.record, nil, m.Appended, m.Offset), m.record.Version}
}

// owe notes a record that is due. Of a version that is repeated, the earliest
// time decides how long.
func (w *world) owe(p *partition, m *logged) {
	d := dueOf(m)
	old, ok := p.due[m.identity]
	switch {
	case !ok || d.version > old.version:
		p.due[m.identity] = d
	case d.version == old.version && d.row.Appended < old.row.Appended:
		old.row.Appended = d.row.Appended
		p.due[m.identity] = old
	}
}

// mayGo says whether what is due may have been dropped by now: it is beyond the
// horizon, or it is progress and others have spoken of all of its sources since;
// or that is so of a newer version.
func (w *world) mayGo(p *partition, d due) bool {
	if d.row.Old(p.now, w.horizon) {
		return true
	}
	if d.record.Progress == nil {
		return false
	}
	if d.row.Appended < p.now-superseded.Milliseconds() && !slices.ContainsFunc(d.record.Progress.Sources, func(s audit.SourceProgress) bool {
		return !p.toldSince(d, s.Partition)
	}) {
		return true
	}
	for i := range p.log[d.row.Offset+1:] {
		m := &p.log[int(d.row.Offset)+1+i]
		if m.placed && m.identity == d.record.IdentityKey() && m.record.Version > d.version && w.mayGo(p, dueOf(m)) {
			return true
		}
	}
	return false
}

// toldSince says whether others have spoken of a source since.
func (p *partition) toldSince(d due, source int32) bool {
	return slices.ContainsFunc(p.log[d.row.Offset+1:], func(m logged) bool {
		return m.placed && m.record.Progress != nil && m.record.Topic == d.record.Topic && m.record.Owner != d.record.Owner &&
			slices.ContainsFunc(m.record.Progress.Sources, func(o audit.SourceProgress) bool { return o.Partition == source })
	})
}

// newest is the row of an identity as readers see it: the highest version over
// owners, and of equal ones what was said first.
func (p *partition) newest(identity string) (best table.Row, ok bool) {
	for _, row := range p.rows[identity] {
		if !ok || row.Version > best.Version || row.Version == best.Version && row.Offset < best.Offset {
			best, ok = row, true
		}
	}
	return best, ok
}

// checkHeld: whatever happens, at any moment the table has what is due.
func (w *world) checkHeld(p *partition, identity, after string) {
	d, ok := p.due[identity]
	if !ok {
		return
	}
	if row, held := p.newest(identity); (!held || row.Version < d.version) && !w.mayGo(p, d) {
		w.fail("%s: after %s readers see version %d (%t), and version %d is due", identity, after, row.Version, held, d.version)
	}
}

// checkRow: a row is a record of the log as it came, and where it came first of
// all places that its writers knew.
func (w *world) checkRow(p *partition, identity string, value []byte) table.Row {
	row, err := table.Parse(value)
	switch {
	case err == nil && table.Judged(identity):
		if v, s, err := compare.Decode(row.JSON); err != nil || v == nil && s == nil || row.Version != row.Offset {
			w.fail("%s: row of version %d at offset %d is nothing that a judge has said: %w", identity, row.Version, row.Offset, err)
		}
	case err != nil:
		w.fail("%s: %w", identity, err)
	case row.Offset < 0 || row.Offset >= int64(len(p.log)):
		w.fail("%s: row of offset %d, which the log does not have", identity, row.Offset)
	default:
		if m := &p.log[row.Offset]; !m.placed || !same(m.record, w.decode(row.JSON)) || m.identity != identity || m.record.Version != row.Version || m.Appended != row.Appended {
			w.fail("%s: row of version %d, appended at %d, is not what the log has at offset %d: %s", identity, row.Version, row.Appended, row.Offset, m.Value)
		}
	}
	row.JSON = nil
	return row
}

// same says whether two records are of one identity and version; who wrote them
// may differ.
func same(a, b *audit.Record) bool {
	return b != nil && a.IdentityKey() == b.IdentityKey() && a.Version == b.Version
}

// checkDue: all of the log has been read, so the table says what the log says.
func (w *world) checkDue() {
	for _, p := range w.partitions {
		for _, identity := range slices.Sorted(maps.Keys(p.due)) {
			w.checkHeld(p, identity, "everything")
			w.stats["identities"]++
			if w.mayGo(p, p.due[identity]) {
				w.stats["identities that may go"]++
			}
		}
		for identity := range p.rows {
			if row, held := p.newest(identity); held && (p.due[identity].record == nil || row.Version > p.due[identity].version) {
				w.fail("%s has version %d, which nobody has read", identity, row.Version)
			}
		}
	}
}

// checkGone: nothing is kept that should be gone, nor under other keys than its
// own what the last session has written. Old entries are looked for now and then.
func (w *world) checkGone() {
	for _, p := range w.partitions {
		for identity, rows := range p.rows {
			if row, held := p.newest(identity); held && row.Old(p.now-2*superseded.Milliseconds(), w.horizon) {
				w.fail("%s is still there at %d, appended at %d", identity, p.now, row.Appended)
			}
			if _, ours := rows[p.owner.owner]; ours && len(rows) > 1 {
				w.fail("%s has %d keys beside that of %s", identity, len(rows)-1, p.owner.owner)
			}
		}
		w.checkSuperseded(p)
	}
}

// checkSuperseded: progress is kept only where it is the newest of some source.
func (w *world) checkSuperseded(p *partition) {
	type source struct {
		topic     string
		partition int32
	}
	newest := map[source]int64{} // offset of the row that tells
	each := func(do func(identity string, row table.Row, s source)) {
		for identity := range p.rows {
			row, held := p.newest(identity)
			if !held {
				continue
			}
			r := p.log[row.Offset].record
			if r.Progress == nil {
				continue
			}
			for _, s := range r.Progress.Sources {
				do(identity, row, source{r.Topic, s.Partition})
			}
			if len(r.Progress.Sources) == 0 {
				do(identity, row, source{r.Topic, -1})
			}
		}
	}
	needed := map[string]bool{}
	each(func(_ string, row table.Row, s source) { newest[s] = max(newest[s], row.Offset) })
	each(func(identity string, row table.Row, s source) {
		needed[identity] = needed[identity] || s.partition >= 0 && newest[s] == row.Offset
	})
	for identity, is := range needed {
		if row, _ := p.newest(identity); !is && row.Appended < p.now-3*superseded.Milliseconds() {
			w.fail("%s is superseded and still there at %d, appended at %d", identity, p.now, row.Appended)
		}
	}
}

// checkRecovery: a session that begins now knows what the last one knew.
func (w *world) checkRecovery() {
	if w.err != nil {
		return
	}
	for _, p := range w.partitions {
		k := &worker{w: w, s: &session{"recovery"}, p: p, at: p.committed}
		w.load(k)
		for k.at < int64(len(p.log)) {
			w.apply(k)
		}
		w.checkMachine(k.m)
		for identity, e := range k.m.entries {
			if row, held := p.newest(identity); !held || row.Version != e.row.Version || row.Offset != e.row.Offset {
				w.fail("%s: a recovery finds version %d of offset %d, and the table has %d of %d (%t)", identity, e.row.Version, e.row.Offset, row.Version, row.Offset, held)
			}
		}
		for identity := range p.rows {
			if _, held := p.newest(identity); held && k.m.entries[identity] == nil {
				w.fail("%s: a recovery does not find it", identity)
			}
		}
	}
}

// checkMachine: what a machine knows agrees with itself. Mistakes are not found
// by what they look like inside, but by what they lead to.
func (w *world) checkMachine(m *Machine) {
	if w.mistake != (mistake{}) {
		return
	}
	size, waiting := 0, 0
	for _, msg := range m.emits {
		size += len(msg.Emit)
	}
	for identity, e := range m.entries {
		size += len(e.row.JSON)
		if e.waiting {
			waiting++
		}
		key := table.Key(identity, m.o.Owner)
		switch {
		case e.identity != identity:
			w.fail("%s is kept as %s", e.identity, identity)
		case e.waiting != (e.row.JSON != nil):
			w.fail("%s waits: %t, and has a record: %t", identity, e.waiting, e.row.JSON != nil)
		case e.ours && !e.waiting && m.stale[key]:
			w.fail("%s is to be deleted, and is the newest", key)
		case slices.ContainsFunc(e.former, func(key string) bool { return m.stale[key] }):
			w.fail("%s: former keys are to be deleted, and needed", identity)
		case !e.ours && !e.waiting && len(e.former) == 0:
			w.fail("%s is known, and nowhere", identity)
		}
	}
	if n, b := m.Pending(); n != waiting+len(m.emits) || b != size {
		w.fail("%d messages of %d bytes wait, and %d of %d are said to", waiting+len(m.emits), size, n, b)
	}
}
