package compare

// A difference is in what two sums of messages differ.
type difference struct {
	missing, duplicated, altered uint64
	bound                        Bound // of missing and duplicated: Exactly or AtLeast
	alteredBound                 Bound // of altered, likewise
	ids                          []MessageID
	moments                      []MessageID // likewise; they tell only if told
	told                         bool
	countsOnly                   bool // they may differ in more, but sums do not tell
}

func (d *difference) none() bool { return d.missing|d.duplicated|d.altered == 0 }

// exact says whether all numbers are.
func (d *difference) exact() bool { return d.bound == Exactly && d.alteredBound == Exactly }

// differ tells in what two sums differ: what the second lacks, has too often, or has
// instead.
//
// The ids of up to four messages come out of the power sums, so that five that are lost
// and three that are doubled are both told. But a message that is lost while another is
// doubled looks as one that was altered. Moments tell them apart: an altered payload has
// the moment of the message that it was, a doubled message that of another.
func differ(from, to *Sum) (d difference) {
	n := int64(to.Count - from.Count)
	switch {
	case from.Unprinted || to.Unprinted:
		d.net(n)
		d.countsOnly, d.bound = true, boundIf(n != 0)
		return d
	case n == 0 && from.Fingerprint == to.Fingerprint:
		return d
	case from.Count == 0 || to.Count == 0: // all of it
		d.net(n)
		if !from.Unnamed && !to.Unnamed {
			d.ids, _ = Identify(n, &from.IDs, &to.IDs)
		}
		if !from.Untimed && !to.Untimed {
			d.moments, d.told = Identify(n, &from.Moments, &to.Moments)
		}
		return d
	case from.Unnamed || to.Unnamed:
		if d.net(n); n == 0 {
			d.altered = 1
		}
		d.bound, d.alteredBound = AtLeast, AtLeast
		return d
	}
	ids, named := Identify(n, &from.IDs, &to.IDs)
	timed := !from.Untimed && !to.Untimed
	if timed {
		d.moments, d.told = Identify(n, &from.Moments, &to.Moments)
	}
	switch {
	case named:
		d.ids = ids
		d.know(weigh(ids))
		return d
	case d.told: // so many are lost and doubled, and others are altered: more than can be named
		const distinct = MostNamed + 1 // at least: each altered message makes two, each other one
		d.missing, d.duplicated = weigh(d.moments)
		d.altered, d.alteredBound = uint64(distinct-len(d.moments)+1)/2, AtLeast
		return d
	}
	switch d.net(n); {
	case timed: // so many lost and doubled besides that five different messages differ
		const distinct = MostNamed + 1
		both := (distinct - min(distinct, d.missing+d.duplicated) + 1) / 2
		d.missing += both
		d.duplicated += both
	case n == 0:
		d.altered = 1 // one at least is another
	}
	d.bound, d.alteredBound = AtLeast, AtLeast
	return d
}

// know takes what is less and more, and which of it is altered, where moments tell.
func (d *difference) know(less, more uint64) {
	d.missing, d.duplicated, d.altered = less, more, 0
	if lost, doubled := weigh(d.moments); d.told && lost <= less && doubled <= more {
		d.missing, d.duplicated, d.altered = lost, doubled, less-lost
	}
}

// net is what the counts alone tell.
func (d *difference) net(n int64) {
	if n < 0 {
		d.missing = uint64(-n)
	} else {
		d.duplicated = uint64(n)
	}
}

func boundIf(atLeast bool) Bound {
	if atLeast {
		return AtLeast
	}
	return Exactly
}

// weigh adds up the messages that the second sum has less and more often.
func weigh(ids []MessageID) (less, more uint64) {
	for _, id := range ids {
		if id.Times < 0 {
			less += uint64(-id.Times)
		} else {
			more += uint64(id.Times)
		}
	}
	return less, more
}
