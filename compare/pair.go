package compare

import (
	"fmt"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// pair compares the tier at an index with the one before it. What one lacks that has not
// been counted far enough may yet be counted.
func (in *Input) pair(i int) []Finding {
	from, to := &in.Sides[i-1], &in.Sides[i]
	if f, unlike := unlikeSides(from, to); unlike {
		return []Finding{f}
	}
	all, diff, parts := in.tell(from, to)
	if diff.none() {
		return agreed(&diff, from, to)
	}
	if in.shifted(from, to, &all) {
		return []Finding{{Kind: Late, Reason: Shifted, From: from.Tier, To: to.Tier, Messages: max(diff.missing, diff.duplicated), Bound: diff.bound}}
	}
	var findings []Finding
	add := func(k Kind, r Reason, n uint64, b Bound, places []Place) {
		if n == 0 {
			return
		}
		f := Finding{Kind: k, Reason: r, From: from.Tier, To: to.Tier, Messages: n, Bound: b, Places: places}
		if r != Unacknowledged {
			f.IDs = idsOf(k, diff.ids)
		}
		if len(f.IDs) == 0 && b == AtLeast && r == "" && !diff.countsOnly {
			f.Reason = Unnamed
		}
		in.explain(&f, from, to)
		findings = append(findings, f)
	}
	upstream := func(c *cell) (Place, int) { return c.fromAt, c.fromAll }
	downstream := func(c *cell) (Place, int) { return c.toAt, c.toAll }

	missing, bound := lacking(diff.missing, diff.bound, to)
	switch behind, places := in.behind(from, to, missing, parts); {
	case !in.Counted[i]:
		add(Late, Underway, missing, bound, nil)
	case behind == diff.missing:
		add(Late, Behind, missing, bound, placesOf(parts, func(d *difference) uint64 { return d.missing }, upstream))
	default:
		add(Late, Behind, behind, bound, places)
		add(Missing, "", missing-min(missing, behind), bound, placesOf(parts, func(d *difference) uint64 { return d.missing }, upstream))
	}
	add(Altered, "", diff.altered, diff.alteredBound, placesOf(parts, func(d *difference) uint64 { return d.altered }, upstream))

	extra, bound := lacking(diff.duplicated, diff.bound, from)
	if in.Pipeline.bypassed(from.Tier) && extra > 0 {
		if !diff.exact() { // among so many others some may be missing
			return append(findings, Finding{Kind: Unknown, Reason: Bypassed, From: from.Tier, To: to.Tier, Bound: Unbounded})
		}
		extra = 0
	}
	if !in.Counted[i-1] {
		extra = 0
	}
	if open := min(extra, from.unacknowledged()); open > 0 {
		add(Unknown, Unacknowledged, open, AtMost, nil)
		extra -= open
	}
	add(Duplicated, "", extra, bound, placesOf(parts, func(d *difference) uint64 { return d.duplicated }, downstream))
	if diff.bound != Exactly && diff.duplicated > diff.missing { // behind those that are too many others may be missing
		f := Finding{Kind: Unknown, Reason: Unnamed, From: from.Tier, To: to.Tier, Bound: Unbounded}
		in.explain(&f, from, to)
		findings = append(findings, f)
	}
	return findings
}

// tell tells in what two sides differ. By their partitions more of it can be named, and it
// is known where it is; but messages may have gone to any partition. Parts are nil where
// they did, or may have.
func (in *Input) tell(from, to *Side) (all [2]Sum, diff difference, parts []*cell) {
	all = [2]Sum{from.sum(), to.sum()}
	diff = differ(&all[0], &all[1])
	if diff.none() && !diff.countsOnly {
		return all, diff, nil
	}
	if parts = cells(from, to); parts == nil {
		return all, diff, nil
	}
	switch sum, apart := total(parts); {
	case sum.countsOnly:
		return all, diff, nil
	case diff.exact() && !sum.exact():
		if sum.missing != diff.missing || sum.duplicated != diff.duplicated || sum.altered != diff.altered {
			parts = nil
		}
		return all, diff, parts
	case sum.bound == Exactly && apart:
		return all, sum, nil
	case sum.bound == Exactly, sum.missing == 0, sum.duplicated == 0:
		return all, sum, parts
	default:
		// What some partitions lack may be what others have too many: of messages without
		// a name nobody can tell. But none is altered by going elsewhere.
		diff.altered, diff.alteredBound = max(diff.altered, sum.altered), AtLeast
		return all, diff, nil
	}
}

// agreed is what is said of sides that do not differ.
func agreed(d *difference, from, to *Side) []Finding {
	if !d.countsOnly || len(from.Parts)+len(to.Parts) == 0 {
		return nil
	}
	return []Finding{{Kind: Complete, Reason: CountsOnly, From: from.Tier, To: to.Tier}}
}

// lacking is how many of so many messages are lacking for certain, given how many a side
// may have and has not counted.
func lacking(n uint64, b Bound, s *Side) (uint64, Bound) {
	switch most, known := s.unseen(); {
	case n == 0 || len(s.Doubts) == 0:
		return n, b
	case !known:
		return 0, b
	default:
		return n - min(n, most), AtLeast
	}
}

// explain marks what is honest.
func (in *Input) explain(f *Finding, from, to *Side) {
	k := f.Kind
	if f.Reason == Underway {
		k = Missing // in the end
	}
	if because, ok := in.Pipeline.explanation(k, f.From, f.To); ok {
		f.Explained, f.Reason, f.Detail = true, Configured, because
	}
	if k == Missing && to.Compacted || f.Kind == Duplicated && from.Compacted {
		f.Explained, f.Reason = true, Compacted
	}
}

func idsOf(k Kind, ids []MessageID) (list []MessageID) {
	for _, id := range ids {
		if k == Altered || k == Duplicated && id.Times > 0 || k != Duplicated && id.Times < 0 {
			list = append(list, id)
		}
	}
	return list
}

// behind is how many of the missing messages are late, because the second tier has not
// come to the window yet: it has nothing of it, nor of later ones; or nothing of later ones
// while the first tier has. Where messages are known to keep their partition each is looked
// at by itself, for a replicator lags in some and not in others.
func (in *Input) behind(from, to *Side, missing uint64, parts []*cell) (late uint64, places []Place) {
	end := in.Window.End()
	if missing == 0 || in.Now > (end+int64(in.Pipeline.LateWithin.Seconds()))*1000 {
		return 0, nil
	}
	if to.Newest < in.Window.Start || to.Newest < end && from.Newest >= end {
		return missing, nil
	}
	for _, c := range parts {
		if c.diff.missing > 0 && to.NewestByPart[c.partition] < end && from.NewestByPart[c.partition] >= end {
			late += c.diff.missing
			places = append(places, Place{Partition: &c.partition, Messages: c.diff.missing, First: -1, Last: -1})
		}
	}
	if late == 0 || in.Kept == nil || !in.Kept(from.Tier, to.Tier) {
		return 0, nil
	}
	return min(late, missing), places[:min(len(places), MostPlaces)]
}

// shifted says whether the difference is made up for by a neighbouring window: the two
// tiers agree on both together, so all is there, and its event time was read on two sides
// of an edge.
func (in *Input) shifted(from, to *Side, all *[2]Sum) bool {
	if in.Neighbours == nil || all[0].Unprinted || all[1].Unprinted {
		return false
	}
	for _, n := range in.Neighbours(from.Tier, to.Tier) {
		if n[0].Unprinted || n[1].Unprinted || n[0].Count == n[1].Count && n[0].Fingerprint == n[1].Fingerprint {
			continue
		}
		if all[0].Count+n[0].Count == all[1].Count+n[1].Count && all[0].Fingerprint+n[0].Fingerprint == all[1].Fingerprint+n[1].Fingerprint {
			return true
		}
	}
	return false
}

// unlikeSides says why two sides cannot be compared.
func unlikeSides(from, to *Side) (f Finding, unlike bool) {
	f = Finding{Kind: Unknown, From: from.Tier, To: to.Tier, Bound: Unbounded}
	a, b := from.reads(), to.reads()
	switch {
	case len(a.basis) > 0 && len(b.basis) > 0 && (a.record() != b.record()):
		f.Reason, f.Detail = UnlikeBasis, fmt.Sprintf("%s reads %s, %s reads %s", from.Tier, names(a.basis), to.Tier, names(b.basis))
	case len(a.digest) > 0 && len(b.digest) > 0 && !meet(a.digest, b.digest):
		f.Reason, f.Detail = UnlikeCodec, fmt.Sprintf("%s has digest %s, %s has %s", from.Tier, names(a.digest), to.Tier, names(b.digest))
	default:
		return f, false
	}
	return f, true
}

// readings are how event times were read.
type readings struct{ basis, digest map[string]bool }

func (s *Side) reads() readings {
	r := readings{map[string]bool{}, map[string]bool{}}
	for i := range s.Parts {
		p := &s.Parts[i]
		if p.Original || p.Count == 0 {
			continue
		}
		if p.Basis != "" {
			r.basis[p.Basis] = true
		}
		if p.Digest != "" {
			r.digest[p.Digest] = true
		}
	}
	return r
}

// record says whether event times are only Kafka's record timestamps. All others are
// the event's own, whether they stand in the payload or were stamped into a header.
func (r *readings) record() bool { return len(r.basis) == 1 && r.basis[audit.BasisRecord] }

func meet(a, b map[string]bool) bool {
	for k := range a {
		if b[k] {
			return true
		}
	}
	return false
}

func names(set map[string]bool) string { return fmt.Sprint(slices.Sorted(maps.Keys(set))) }
