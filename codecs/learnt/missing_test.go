package learnt

import (
	"runtime"
	"sync/atomic"
	"testing"
)

func TestANewNumberPushesTheOldestOfItsRowOut(t *testing.T) {
	var m missing
	row := sameRow(&m, perRow+1)
	for _, id := range row {
		m.add(id)
	}
	if m.has(row[0]) {
		t.Error("the oldest is remembered")
	}
	for _, id := range row[1:] {
		if !m.has(id) {
			t.Errorf("%d is forgotten", id)
		}
	}
}

// A number moves to the end of its row while somebody looks for it, many times.
func TestANumberIsSeenWhileItMoves(t *testing.T) {
	var m missing
	row := sameRow(&m, 2)
	for range 500 {
		m.add(row[0])
		var looking, done atomic.Bool
		go func() {
			for !looking.Load() {
				runtime.Gosched()
			}
			for range perRow - 1 {
				m.add(row[1])
			}
			done.Store(true)
		}()
		for !done.Load() {
			if !m.has(row[0]) {
				t.Fatal("not seen")
			}
			looking.Store(true)
		}
	}
}

// sameRow are some numbers of one row, the first of which is 0.
func sameRow(m *missing, n int) (ids []uint32) {
	for id := uint32(0); len(ids) < n; id++ {
		if m.row(id) == m.row(0) {
			ids = append(ids, id)
		}
	}
	return ids
}
