package views

import (
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// Detail is a promise about time, and memory is bytes: a day with many more topics
// or segments than usual takes many more of them. So there may be a bound, and when
// what is held goes beyond it, the oldest windows are dropped and Horizon rises,
// until time has passed enough to hold all of Detail again. The store answers for
// what is older, as always.

// trimTo leaves room behind, so that trimming is seldom: it looks at every row.
const trimTo = 0.9

// trimEvery is after how many updates of the table the bytes are looked at.
const trimEvery = 256

// grown is called at each update.
func (r *replica) grown() {
	if r.most == 0 || r.updates.Add(1)%trimEvery != 0 {
		return
	}
	if _, bytes := r.size(); bytes > r.most {
		r.trim()
	}
}

// trim drops the oldest windows if too much is held. What is no window stays: it
// is little.
func (r *replica) trim() {
	if r.most == 0 || !r.trimming.TryLock() {
		return
	}
	defer r.trimming.Unlock()
	total := 0
	ending := map[int64]int{} // bytes of windows, by when they ended
	for _, s := range r.held() {
		for key, value := range s.All() {
			n := len(key) + len(value)
			total += n
			if row, err := table.Parse(value); err == nil && row.Until != 0 {
				ending[r.ended(&row)] += n
			}
		}
	}
	if total <= r.most {
		return
	}
	excess := total - int(float64(r.most)*trimTo)
	for _, end := range slices.Sorted(maps.Keys(ending)) {
		if excess <= 0 {
			break
		}
		excess -= ending[end]
		r.cut.Store(max(r.cut.Load(), end))
	}
	r.sweep()
}

// ended is when a window ended, Unix milliseconds. One in the future is taken to
// end a Detail after its record: an event time that is wrong holds nothing for ever.
func (r *replica) ended(row *table.Row) int64 {
	const most = 1 << 50 // seconds; in milliseconds far from overflow
	end := min(max(row.Until, -most), most) * 1000
	return min(end, row.Appended+r.detail.Milliseconds())
}
