package avro

import (
	"sync"
	"sync/atomic"
)

// plans are those of the schemas that are known, by number. Reading waits for
// nobody: each addition makes a new table, and they are few.
type plans struct {
	table atomic.Pointer[table]
	mu    sync.Mutex // of additions
}

func newPlans() *plans {
	p := &plans{}
	p.table.Store(newTable(1))
	return p
}

func (p *plans) get(id uint32) *plan { return p.table.Load().get(id) }

func (p *plans) put(id uint32, what *plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.table.Load()
	t := newTable(old.n + 1)
	for _, s := range old.slots {
		if s.plan != nil {
			t.put(s)
		}
	}
	t.put(slot{id, what})
	p.table.Store(t)
}

// A table is a hash table of which at least half is empty. A map of Go would take
// more time than all the rest of reading a time.
type table struct {
	slots []slot
	n     int
}

type slot struct {
	id   uint32
	plan *plan // nil if empty
}

func newTable(n int) *table {
	size := 2
	for size < 2*n {
		size *= 2
	}
	return &table{slots: make([]slot, size)}
}

// get finds what put has put, at the first slot from that of the hash on which has
// the number.
func (t *table) get(id uint32) *plan {
	mask := len(t.slots) - 1
	for i := hash(id); ; i++ {
		if s := &t.slots[i&mask]; s.id == id || s.plan == nil {
			return s.plan
		}
	}
}

func (t *table) put(s slot) {
	mask := len(t.slots) - 1
	i := hash(s.id)
	for t.slots[i&mask].plan != nil {
		i++
	}
	t.slots[i&mask] = s
	t.n++
}

// hash spreads numbers, which are mostly neighbours, by the golden ratio.
func hash(id uint32) int { return int(id * 0x9e3779b1 >> 8) }
