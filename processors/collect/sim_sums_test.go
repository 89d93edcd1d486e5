package collect

import (
	"bytes"
	"slices"

	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// sums say what became of every record that was read, and of every message that
// was taken from a machine.
type sums struct {
	moved, emitted, forgotten int // records read that belong elsewhere; of these taken, and not taken before the end
	taken, acked, cut         int // messages, by what became of their flush
	arrived, lost             int // and by whether they came to Kafka
}

// read checks the outcome of a record, of which there is always one, by what the
// world knows of the record.
func (w *world) read(k *worker, m *logged, out Outcome, err error) {
	w.stats[string(out)]++
	k.now = max(k.now, m.Appended)
	if out == Moved {
		w.sums.moved++
	}
	if w.mistake != (mistake{}) {
		return // they are to be found by what they lead to
	}
	want := []Outcome{Collected, Known}
	switch {
	case bytes.Contains(m.Value, []byte("forecast")):
		want = []Outcome{Unknown}
	case m.record == nil:
		want = []Outcome{Malformed}
	case w.tooOld(k, m):
		want = []Outcome{Beyond}
	case !m.placed:
		want = []Outcome{Moved}
	default:
		if e := k.m.entries[m.identity]; e == nil || e.row.Version < m.record.Version || out == Collected && e.row.Version != m.record.Version {
			w.fail("%s: version %d is %s, and not what is known", m.identity, m.record.Version, out)
		}
	}
	if !slices.Contains(want, out) || (err != nil) != (out == Malformed) {
		w.fail("partition %d: the record at offset %d is %s, %v, want one of %v", k.p.number, m.Offset, out, err, want)
	}
}

func (w *world) tooOld(k *worker, m *logged) bool {
	row := table.Of(m.record, nil, m.Appended, m.Offset)
	return row.Old(k.now, w.horizon)
}

// begin and end keep the books of a flush, and of a worker that is cut off.
func (b *sums) begin(f *flight) {
	b.taken += len(f.changes.Writes)
	for _, m := range f.changes.Writes {
		if m.Emit != nil {
			b.emitted++
		}
	}
}

func (b *sums) end(k *worker) {
	if k.m != nil {
		b.forgotten += len(k.m.emits)
	}
	if f := k.flight; f != nil {
		b.cut += len(f.changes.Writes)
		if !f.sent {
			b.lost += len(f.changes.Writes)
		}
	}
}

// checkBooks: they balance.
func (w *world) checkBooks() {
	b := w.sums
	for _, k := range w.workers {
		b.end(k)
	}
	for _, l := range w.lanes {
		for _, m := range l.msgs {
			if !m.Delete {
				b.arrived++ // or will
			}
		}
	}
	if b.moved != b.emitted+b.forgotten || b.taken != b.acked+b.cut || b.taken != b.arrived+b.lost {
		w.fail("the books do not balance: %+v", b)
	}
}
