package compare

import (
	"cmp"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// A cell is a part of a pair of sides that can be compared by itself.
type cell struct {
	partition int32
	from, to  Sum
	diff      difference
	// Where the messages are: the one source of each side, if there is only one.
	fromAt, toAt   Place
	fromAll, toAll int // sources
}

// cells divides two sides by partition, if both have partitions, and tells the
// differences of each. Replicators as a rule keep the number of the partition; whether
// this one did is for aligned to say. nil: they cannot be divided.
func cells(from, to *Side) []*cell {
	by := map[int32]*cell{}
	at := func(partition int32) *cell {
		c := by[partition]
		if c == nil {
			c = &cell{partition: partition}
			by[partition] = c
		}
		return c
	}
	for i := range from.Parts {
		p := &from.Parts[i]
		if p.Partition == audit.NoPartition {
			return nil
		}
		c := at(p.Partition)
		c.from.Add(&p.Sum)
		c.fromAll = p.locate(&c.fromAt, c.fromAll)
	}
	for i := range to.Parts {
		p := &to.Parts[i]
		if p.Partition == audit.NoPartition {
			return nil
		}
		c := at(p.Partition)
		c.to.Add(&p.Sum)
		c.toAll = p.locate(&c.toAt, c.toAll)
	}
	list := slices.SortedFunc(maps.Values(by), func(a, b *cell) int { return cmp.Compare(a.partition, b.partition) })
	for _, c := range list {
		c.diff = differ(&c.from, &c.to)
	}
	return list
}

// locate widens the place of a cell by a part; sources is how many there have been.
func (p *Part) locate(at *Place, sources int) int {
	same := sources > 0 && at.Datacenter == p.Datacenter && at.Cluster == p.Cluster
	if sources > 0 && !same {
		return sources + 1
	}
	if sources == 0 {
		*at = Place{Datacenter: p.Datacenter, Cluster: p.Cluster, Partition: &p.Partition, First: p.First, Last: p.Last}
		return 1
	}
	if p.First >= 0 && (at.First < 0 || p.First < at.First) {
		at.First = p.First
	}
	at.Last = max(at.Last, p.Last)
	return sources
}

// aligned says whether messages have kept their partition, as far as these cells show:
// in most of them the sets are equal, or in each that differs the messages are named and
// none is missing in one and too often in another. Messages that went to any partition
// make all cells differ by many.
func aligned(list []*cell) bool {
	if list == nil {
		return false
	}
	equal, differing, named := 0, 0, true
	less, more := map[uint64]bool{}, map[uint64]bool{}
	for _, c := range list {
		if c.diff.none() && c.diff.exact() && !c.diff.countsOnly {
			equal++
			continue
		}
		differing++
		if len(c.diff.ids) == 0 {
			named = false
		}
		for _, id := range c.diff.ids {
			if id.Times < 0 {
				less[id.ID] = true
			} else {
				more[id.ID] = true
			}
		}
	}
	for id := range less {
		if more[id] {
			return false
		}
	}
	return named || equal >= differing
}

// total adds up the differences of cells.
func total(list []*cell) (all difference) {
	named := true
	for _, c := range list {
		d := &c.diff
		all.missing += d.missing
		all.duplicated += d.duplicated
		all.altered += d.altered
		all.countsOnly = all.countsOnly || d.countsOnly
		if d.bound != Exactly {
			all.bound = AtLeast
		}
		if d.alteredBound != Exactly {
			all.alteredBound = AtLeast
		}
		named = named && (d.none() || len(d.ids) > 0)
		all.ids = append(all.ids, d.ids...)
	}
	if !named || len(all.ids) > MostPlaces {
		all.ids = nil
	}
	return all
}

// placesOf lists where messages of a kind are: those missing and altered where they were
// counted last, at the tier before, those duplicated at the tier itself.
func placesOf(list []*cell, number func(*difference) uint64, at func(*cell) (Place, int)) (places []Place) {
	for _, c := range list {
		n := number(&c.diff)
		if n == 0 {
			continue
		}
		p, sources := at(c)
		if sources != 1 {
			p = Place{First: -1, Last: -1}
		}
		p.Partition, p.Messages = &c.partition, n
		places = append(places, p)
	}
	slices.SortStableFunc(places, func(a, b Place) int { return cmp.Compare(b.Messages, a.Messages) })
	return places[:min(len(places), MostPlaces)]
}
