package judge

import (
	"cmp"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// side is what a tier has of the window.
func (w *window) side(x *tier, threshold int64, overdue bool) compare.Side {
	s := compare.Side{Tier: x.name, Compacted: x.compacted(), Newest: x.newest, NewestByPart: x.newestPart}
	n := 0
	for _, p := range w.parts {
		if p.tier == x {
			n++
		}
	}
	s.Parts = make([]compare.Part, 0, n)
	for _, p := range w.parts {
		if p.tier != x || !p.counts() {
			continue
		}
		s.Parts = append(s.Parts, p.Part)
		if p.partial {
			s.Doubts = append(s.Doubts, compare.Doubt{Reason: compare.Partial, Bound: compare.Unbounded,
				Place: compare.Place{Datacenter: p.Datacenter, Cluster: p.Cluster, Partition: &p.Partition, First: -1, Last: -1}})
		}
	}
	slices.SortFunc(s.Parts, func(a, b compare.Part) int {
		return cmp.Or(cmp.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Partition, b.Partition),
			cmp.Compare(a.Instance, b.Instance), cmp.Compare(a.First, b.First))
	})
	s.Doubts = append(s.Doubts, x.doubtsOf(w, threshold, overdue)...)
	return s
}

// neighbours are the sums of two tiers in the windows before and after.
func (w *window) neighbours(from, to string) (list [][2]compare.Sum) {
	for _, step := range []int64{-w.Size, w.Size} {
		n := w.topic.windows[audit.Window{Start: w.Start + step, Size: w.Size}]
		if n == nil {
			continue
		}
		var sums [2]compare.Sum
		for _, p := range n.parts {
			if p.tier == nil || !p.counts() {
				continue
			}
			switch p.tier.name {
			case from:
				sums[0].Add(&p.Sum)
			case to:
				sums[1].Add(&p.Sum)
			}
		}
		list = append(list, sums)
	}
	return list
}

// kept says whether messages keep their partition between two tiers: all windows show
// that on which the two agree, and there are some.
func (t *topic) kept(from, to string) bool {
	const seldom = 5 * time.Minute // it looks at all windows
	pair := [2]string{from, to}
	if k, ok := t.keeps[pair]; ok && t.j.now-k.asked < seldom.Milliseconds() {
		return k.kept
	}
	kept := t.keptNow(t.tier(from), t.tier(to))
	t.keeps[pair] = keeping{kept, t.j.now}
	return kept
}

// keeping is whether messages kept their partition between two tiers, as of a moment.
type keeping struct {
	kept  bool
	asked int64
}

func (t *topic) keptNow(a, b *tier) bool {
	some := false
	for _, w := range t.windows {
		x, y := compare.Side{Parts: w.partsOf(a)}, compare.Side{Parts: w.partsOf(b)}
		kept, known := compare.Kept(&x, &y)
		if known && !kept {
			return false
		}
		some = some || known
	}
	return some
}

func (w *window) partsOf(x *tier) (list []compare.Part) {
	for _, p := range w.parts {
		if p.tier == x && p.counts() {
			list = append(list, p.Part)
		}
	}
	return list
}
