package collect

import (
	"cmp"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect/judge"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// said is a record of the table.
type said struct {
	record *audit.Record
	at     judge.Said
}

func newJudge(o *MachineOptions) *judge.Judge {
	if o.Judge.Plan == nil {
		return nil
	}
	o.Judge.Horizon = o.Horizon
	return judge.New(o.Judge)
}

// loadJudged tells the judge of an entry of the table.
func (m *Machine) loadJudged(e *entry, row *table.Row, r *audit.Record) error {
	if m.judge == nil {
		return nil
	}
	at := judge.Said{Appended: row.Appended, Offset: row.Offset}
	if table.Judged(e.identity) {
		v, s, err := compare.Decode(row.JSON)
		switch {
		case err != nil:
			return err
		case v != nil:
			m.judge.LoadVerdict(v)
		case s != nil:
			e.after = 1
			m.judge.LoadStanding(s)
		}
		return nil
	}
	if r == nil {
		var err error
		if r, err = audit.Decode(row.JSON); err != nil {
			return err
		}
	}
	if r.Kind == audit.KindWindow && r.Tally != nil {
		e.part = m.judge.Window(r, e.part, at)
		return nil
	}
	m.loaded = append(m.loaded, said{r, at})
	return nil
}

// begin ends the loading.
func (m *Machine) begin() {
	if m.begun || m.judge == nil {
		return
	}
	m.begun = true
	slices.SortFunc(m.loaded, func(a, b said) int { return cmp.Compare(a.at.Offset, b.at.Offset) })
	for _, l := range m.loaded {
		m.judge.Record(l.record, l.at)
	}
	m.loaded = nil
	m.judge.Loaded(m.now)
}

// tellJudge tells the judge of a record that is newer than what was known.
func (m *Machine) tellJudge(e *entry, r *audit.Record, at judge.Said) {
	if m.judge == nil {
		return
	}
	if r.Kind == audit.KindWindow {
		e.part = m.judge.Window(r, e.part, at)
		return
	}
	m.judge.Record(r, at)
}

// pass lets the judge see that time has passed, and takes what it says.
func (m *Machine) pass(offset int64) {
	if m.judge == nil {
		return
	}
	m.judge.Advance(m.now, offset)
	verdicts, standings := m.judge.Take()
	for _, v := range verdicts {
		if b, err := v.Encode(); err == nil { // always: it is numbers and texts
			m.judged(v.Key(), 0, table.Row{Appended: v.Judged, Offset: offset, Version: v.Version, Until: v.Window().End(), JSON: b})
		}
	}
	for _, s := range standings {
		if b, err := s.Encode(); err == nil {
			m.judged(s.Key(), 1, table.Row{Appended: s.Judged, Offset: offset, Version: s.Version, JSON: b})
		}
	}
}

// judged has an entry of what the judge has said stored, and emitted.
func (m *Machine) judged(identity string, after int, row table.Row) {
	e := m.entries[identity]
	if e == nil {
		e = &entry{identity: identity, after: after}
		m.entries[identity] = e
	}
	m.bytes += len(row.JSON) - len(e.row.JSON)
	e.row = row
	if !e.waiting {
		e.waiting = true
		m.pending = append(m.pending, e)
	}
}

// Judges says whether windows are judged.
func (m *Machine) Judges() bool { return m.judge != nil }

// Emit has something written to the audit topic with what waits.
func (m *Machine) Emit(msg shards.Message) {
	m.emits = append(m.emits, msg)
	m.bytes += len(msg.Emit)
}
