package collect

import (
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// superseded is how long, by the log's time, a progress record is kept at least,
// though others have told about all of its sources since: its owner may be
// handing over.
const superseded = 10 * time.Minute

// sweep looks for old entries, now and then: time passes at the pace of the log.
func (m *Machine) sweep() {
	every := min(m.o.Horizon/100, superseded).Milliseconds()
	if m.now-m.swept < every {
		return
	}
	m.swept = m.now
	needed := m.needed()
	for _, e := range m.entries {
		over := isProgress(e.identity) && !needed[e] && e.row.Appended < m.now-superseded.Milliseconds()
		if over || e.row.Old(m.now, m.o.Horizon) {
			m.drop(e)
		}
	}
	m.pending = slices.DeleteFunc(m.pending, func(e *entry) bool { return !e.waiting })
	m.books.forget(m.now - m.o.Horizon.Milliseconds())
	if m.judge != nil {
		m.judge.Sweep()
	}
}

// needed are the progress records that are the newest about any of their sources,
// as readers see them. A session of a counting instance has an identity of its
// own for each topic, so without this an instance that keeps restarting would
// fill the table for the length of the horizon.
func (m *Machine) needed() map[*entry]bool {
	type source struct {
		of        string
		partition int32
	}
	newest, needed := map[source]*entry{}, map[*entry]bool{}
	for _, e := range m.entries {
		if len(e.tells) == 0 {
			continue
		}
		of := toldOf(e.identity)
		for _, partition := range e.tells {
			s := source{of, partition}
			if partition == audit.NoPartition {
				s.of = e.identity // what an application instance tells is about itself
			}
			if old := newest[s]; old == nil || e.row.Offset > old.row.Offset {
				newest[s] = e
			}
		}
	}
	for _, e := range newest {
		needed[e] = true
	}
	return needed
}

// toldOf is what progress records about the same sources have in common:
// topic/-/progress/window/size/tier/datacenter/cluster/topic id of their identity.
func toldOf(identity string) string {
	parts := 9
	for i := range len(identity) {
		if identity[i] == '/' {
			if parts--; parts == 0 {
				return identity[:i]
			}
		}
	}
	return identity // not reached: an identity has more parts
}

// drop forgets an entry. Its keys are deleted from the table; one that is just
// being written is deleted by a later flush, so it is in order.
func (m *Machine) drop(e *entry) {
	m.books.dropped(e)
	if e.part != nil {
		m.judge.Forget(e.part)
	}
	m.bytes -= len(e.row.JSON)
	e.waiting = false
	m.discard(e.former...)
	e.former = nil
	if e.ours {
		m.discard(table.Key(e.identity, m.o.Owner))
	}
	delete(m.entries, e.identity)
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
