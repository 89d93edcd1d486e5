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
// this one did is for tell to say. nil: they cannot be divided.
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

// Kept says whether the messages of a window show that they keep their partition between
// two tiers, which agree on the window as a whole: each partition agrees, too. Known is
// false where they do not agree, or have no messages.
func Kept(from, to *Side) (kept, known bool) {
	a, b := from.sum(), to.sum()
	if a.Count == 0 || a.Count != b.Count || a.Fingerprint != b.Fingerprint || a.Unprinted || b.Unprinted {
		return false, false
	}
	list := cells(from, to)
	return list != nil && !slices.ContainsFunc(list, func(c *cell) bool { return c.from.Count != c.to.Count || c.from.Fingerprint != c.to.Fingerprint }), true
}

// total adds up the differences of cells. If all messages in them are named, or all that
// are missing or too many told by their moments, it is exact whatever partition they went
// to; apart says that some went to another one.
func total(list []*cell) (all difference, apart bool) {
	named := true
	all.told = true
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
		all.told = all.told && (d.none() || d.told)
		all.ids = append(all.ids, d.ids...)
		all.moments = append(all.moments, d.moments...)
	}
	before := all
	switch all.ids, all.moments = together(all.ids), together(all.moments); {
	case named:
		all.know(weigh(all.ids))
	case all.told:
		all.ids = nil
		all.missing, all.duplicated = weigh(all.moments)
	default: // what some lack may be what others have too many
		all.ids, all.bound = nil, AtLeast
		return all, false
	}
	apart = all.missing != before.missing || all.duplicated != before.duplicated || all.altered != before.altered
	if len(all.ids) > MostPlaces {
		all.ids = nil
	}
	return all, apart
}

// together adds up what is about the same messages.
func together(list []MessageID) (sums []MessageID) {
	slices.SortFunc(list, func(a, b MessageID) int { return cmp.Compare(a.ID, b.ID) })
	for _, m := range list {
		if n := len(sums); n > 0 && sums[n-1].ID == m.ID {
			sums[n-1].Times += m.Times
		} else {
			sums = append(sums, m)
		}
	}
	return slices.DeleteFunc(sums, func(m MessageID) bool { return m.Times == 0 })
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
