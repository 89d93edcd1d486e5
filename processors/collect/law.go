package collect

import "github.com/chaperone-audit/chaperone/audit"

// law compares a record with an entry of the same version, and else notes what
// that is. An entry from the table has no hash yet, but a count.
func (b *books) law(e *entry, r *audit.Record) {
	if r.Original != nil {
		return // its uuid is random, its version always the same
	}
	hash := r.Tally.LawHash()
	known := r.Version == e.row.Version && (len(e.former) > 0 || e.law != 0)
	if a := b.sources[r.Source()]; a != nil && a.compacted {
		known = false // who reads the topic later finds less
	}
	if known && (e.law != 0 && e.law != hash || e.row.Count != r.Tally.Count) {
		b.say(Law, r.Source(), "%s has two records of version %d that are unlike, one of %d messages at offset %d of the audit topic, the other of %d at offset %d",
			r.IdentityKey(), r.Version, e.row.Count, e.row.Offset, r.Tally.Count, b.offset)
		return
	}
	e.law = hash
}
