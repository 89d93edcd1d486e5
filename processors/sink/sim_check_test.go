package sink

import "github.com/chaperone-audit/chaperone/audit"

// take is the store's: sound records are in it.
func (s *simStore) take(batch []*audit.Record) {
	w := s.i.w
	for _, r := range batch {
		if w.sound(r.Version) {
			w.mu.Lock()
			w.taken[r.Version] = true
			w.mu.Unlock()
		}
	}
}

// acked: none is acknowledged more often than its instance has read it. (It may
// be taken more often, when an answer was lost.)
func (s *simStore) acked(batch []*audit.Record) {
	w := s.i.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range batch {
		w.stats["written"]++
		if s.i.acked[r.Version]++; s.i.acked[r.Version] > s.i.read[r.Version] {
			w.fail("record %d is written %d times, and was read %d times", r.Version, s.i.acked[r.Version], s.i.read[r.Version])
		}
	}
}

// commit is the coordinator's: it refuses who is not the owner. What is committed
// is in the store, or set aside.
func (f *fed) commit(next int64) {
	w := f.i.w
	items, _ := f.i.p.Aside()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, it := range items {
		w.aside[w.logs[it.Partition].log[it.Offset].id] = true
	}
	if w.commitRead {
		next = f.at
	}
	if f.l.owner != f {
		w.stats["commits refused"]++
		return
	}
	w.stats["commits"]++
	if next < f.l.committed || next > f.at {
		w.fail("partition %d: committed %d after %d, and read up to %d", f.l.number, next, f.l.committed, f.at)
		return
	}
	for ; f.l.committed < next; f.l.committed++ {
		m := f.l.log[f.l.committed]
		switch {
		case m.sound && !w.taken[m.id]:
			w.fail("partition %d: offset %d is committed, and record %d is not in the store", f.l.number, f.l.committed, m.id)
		case !m.sound && !w.aside[m.id]:
			w.fail("partition %d: offset %d is committed, and record %d is not set aside", f.l.number, f.l.committed, m.id)
		}
	}
}

// sound says whether the store takes a record.
func (w *world) sound(id int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.bad[id]
}

// checkBooks, while everybody waits: what an instance has read is written, or set
// aside, or in one of two batches; or a feed holds it while both are full, or has not come
// to it, and leaves it to the next owner when it ends.
func (w *world) checkBooks() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range w.instances {
		read, acked := 0, 0
		for _, n := range i.read {
			read += n
		}
		for _, n := range i.acked {
			acked += n
		}
		items, aside := i.p.Aside()
		for _, it := range items {
			if m := w.logs[it.Partition].log[it.Offset]; m.sound {
				w.fail("record %d is sound and set aside: %s", m.id, it.Reason)
			}
		}
		if left := read - acked - int(aside); left < 0 || left > 2*w.batch+i.held {
			w.fail("%d records read, %d written, %d set aside: %d in flight, in two batches of %d, and feeds may have left %d", read, acked, aside, left, w.batch, i.held)
		}
	}
}
