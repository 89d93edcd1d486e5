package collect

import (
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// A teller is a source that progress records tell about.
type teller struct {
	tier, datacenter string
	audit.Source
}

// tell notes that a progress record is the newest about its sources. A session
// of a counting instance has an identity of its own for each topic, so without
// this an instance that keeps restarting would fill the table for the length of
// the horizon.
func (m *Machine) tell(e *entry, r *audit.Record) {
	for i := range r.Progress.Sources {
		t := teller{r.Tier, r.Datacenter, r.Source()}
		t.Partition = r.Progress.Sources[i].Partition
		old := m.tellers[t]
		if old == e || old != nil && old.row.Offset > e.row.Offset {
			continue // when entries are loaded, newer ones may come first
		}
		if old != nil {
			old.tells--
		}
		m.tellers[t] = e
		e.tells++
	}
}

// superseded is how long, by the log's time, a progress record is kept after
// others have told about all of its sources: its owner may be handing over.
const superseded = 10 * time.Minute

// sweep looks for old entries, now and then: time passes at the pace of the log.
func (m *Machine) sweep() {
	every := min(m.o.Horizon/100, superseded).Milliseconds()
	if m.now-m.swept < every {
		return
	}
	m.swept = m.now
	for _, e := range m.entries {
		if m.old(e) {
			m.drop(e)
		}
	}
	m.pending = slices.DeleteFunc(m.pending, func(e *entry) bool { return !e.waiting })
	m.books.forget(m.now - m.o.Horizon.Milliseconds())
}

func (m *Machine) old(e *entry) bool {
	if e.row.Old(m.now, m.o.Horizon) {
		return true
	}
	return isProgress(e.identity) && e.tells == 0 && e.row.Appended < m.now-superseded.Milliseconds()
}

// drop forgets an entry. Its keys are deleted from the table; one that is just
// being written is deleted by a later flush, so it is in order.
func (m *Machine) drop(e *entry) {
	m.books.dropped(e)
	m.bytes -= len(e.row.JSON)
	e.waiting = false
	m.discard(e.former...)
	e.former = nil
	if e.ours {
		m.discard(table.Key(e.identity, m.o.Owner))
	}
	delete(m.entries, e.identity)
	if e.tells > 0 {
		for t, by := range m.tellers {
			if by == e {
				delete(m.tellers, t)
			}
		}
	}
}

// isKind says whether an identity is that of records of a kind, which is its
// third part.
func isKind(identity string, k audit.Kind) bool {
	for range 2 {
		_, rest, ok := strings.Cut(identity, "/")
		if !ok {
			return false
		}
		identity = rest
	}
	return strings.HasPrefix(identity, string(k)+"/")
}

func isProgress(identity string) bool { return isKind(identity, audit.KindProgress) }
