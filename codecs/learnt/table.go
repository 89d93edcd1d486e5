package learnt

import "sync/atomic"

// A table is a hash table of which at least half is empty. One at a time puts into
// it; get waits for nobody. A map of Go would take more time than all the rest of
// reading a time out of a message.
type table[T any] struct {
	slots []slot[T]
	n     int // slots that are taken; put's
}

// A slot gets its number before its value, so that who sees the value sees both.
type slot[T any] struct {
	id   uint32
	made atomic.Pointer[T] // nil if empty
}

// minSlots is with how many a table begins: most codecs see one schema or two.
const minSlots = 4

func newTable[T any](slots int) *table[T] { return &table[T]{slots: make([]slot[T], slots)} }

// get finds what put has put, at the first slot from that of the hash on which has
// the number.
func (t *table[T]) get(id uint32) *T {
	for i := hash(id); ; i++ {
		s := &t.slots[i&(len(t.slots)-1)]
		if made := s.made.Load(); made == nil || s.id == id {
			return made
		}
	}
}

// put adds what is not there, to a table that is not full.
func (t *table[T]) put(id uint32, made *T) {
	mask := len(t.slots) - 1
	i := hash(id)
	for t.slots[i&mask].made.Load() != nil {
		i++
	}
	s := &t.slots[i&mask]
	s.id = id
	s.made.Store(made)
	t.n++
}

func (t *table[T]) full() bool { return 2*t.n >= len(t.slots) }

// larger is a copy with room for as many again.
func (t *table[T]) larger() *table[T] {
	l := newTable[T](2 * len(t.slots))
	for i := range t.slots {
		if made := t.slots[i].made.Load(); made != nil {
			l.put(t.slots[i].id, made)
		}
	}
	return l
}

// golden spreads numbers, which are mostly neighbours, as the golden ratio does.
const golden = 0x9e3779b1

func hash(id uint32) int { return int(id * golden >> 8) }
