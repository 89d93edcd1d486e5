package learnt

import "sync/atomic"

// missing remembers numbers that have no schema: 16,384 in 128 KiB. Each has its row
// by a hash, and a new one pushes the oldest of its row out. So adding and looking
// take no more time the more there are; who picks numbers for one row pushes his own
// out.
type missing [1 << rowBits][perRow]atomic.Uint64 // the number plus one; 0 if empty

const (
	rowBits = 11
	perRow  = 8 // the words of a cache line
)

// row takes the high bits of the hash: those of numbers whose bytes are in the wrong
// order differ there only.
func (m *missing) row(id uint32) *[perRow]atomic.Uint64 { return &m[id*golden>>(32-rowBits)] }

// has may be called while another adds. It goes through the row from the beginning and
// add from the end, so that it does not miss a number which is being moved: that is in
// its new place, further on, before it vanishes from the old one.
func (m *missing) has(id uint32) bool {
	row := m.row(id)
	for i := range row {
		if row[i].Load() == uint64(id)+1 {
			return true
		}
	}
	return false
}

// add remembers a number that is not there. One at a time may add.
func (m *missing) add(id uint32) {
	row := m.row(id)
	for i := perRow - 1; i > 0; i-- {
		row[i].Store(row[i-1].Load())
	}
	row[0].Store(uint64(id) + 1)
}
