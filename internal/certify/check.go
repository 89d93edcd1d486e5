package certify

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// Check says everything that is wrong with a statement. It asks nobody.
func Check(s *Statement) (wrong []string) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if got := s.digest(); got != s.Digest {
		add("the digest of what it says is %s, and it states %s: something was changed", got, s.Digest)
	}
	add2 := func(list []string) { wrong = append(wrong, list...) }
	add2(s.checkWindows())
	add2(s.checkRecords())
	add2(s.checkSums())
	return wrong
}

// checkWindows: they follow each other without a gap, and together are as complete as the
// statement says.
func (s *Statement) checkWindows() (wrong []string) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	at, complete := s.From, len(s.Windows) > 0
	for i := range s.Windows {
		w := &s.Windows[i]
		if !w.Start.Equal(at) || !w.End.After(w.Start) {
			add("window %s does not follow the one before it, which ends at %s", stamp(w.Start), stamp(at))
		}
		at = w.End
		complete = complete && w.Complete
		settled := w.State == "final" || w.State == "amended"
		if w.Complete && (!settled || w.Verdict == "unknown") {
			add("window %s is %s and %s, and cannot be complete", stamp(w.Start), w.State, w.Verdict)
		}
		if w.Judge != "" && !slices.Contains(s.Judges, w.Judge) {
			add("window %s was judged with %s, which is not among the judges", stamp(w.Start), w.Judge)
		}
	}
	if at.Before(s.To) {
		add("nothing is said of the time from %s to %s", stamp(at), stamp(s.To))
	}
	if s.Complete != complete {
		add("it states that complete is %t, and the windows say %t", s.Complete, complete)
	}
	return wrong
}

// checkRecords: they are in order, each once, and their uuids are those of their identity
// and version.
func (s *Statement) checkRecords() (wrong []string) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for i := range s.Records {
		r := &s.Records[i]
		if i > 0 && !before(&s.Records[i-1], r) {
			add("record %s is not behind the one before it", r.Identity)
		}
		id, err := table.ParseIdentity(r.Identity)
		if err != nil {
			add("record %s: %v", r.Identity, err)
			continue
		}
		if id.Topic != s.Topic || id.Start != r.Start.Unix() || id.Kind != table.KindOriginal && (id.Tier != r.Tier || id.End() != r.End.Unix()) {
			add("record %s is not of tier %s and window %s", r.Identity, r.Tier, stamp(r.Start))
		}
		if want := uuidOf(&id, r); want != "" && want != r.UUID {
			add("record %s of version %d has uuid %s, and states %s", r.Identity, r.Version, want, r.UUID)
		}
	}
	return wrong
}

func before(a, b *Record) bool {
	if !a.Start.Equal(b.Start) {
		return a.Start.Before(b.Start)
	}
	if !a.End.Equal(b.End) {
		return a.End.Before(b.End)
	}
	return a.Identity < b.Identity
}

// uuidOf is that of a record; empty of an original, which has brought its own.
func uuidOf(id *table.Identity, r *Record) string {
	if id.Kind == table.KindOriginal {
		return ""
	}
	record := audit.Record{Kind: id.Kind, Identity: id.Identity, Version: r.Version}
	if record.IdentityKey() != r.Identity {
		return uuid.Nil.String() // not as it is written
	}
	return record.UUID().String()
}

type cell struct {
	start, end int64
	tier       string
}

type sum struct {
	messages, bytes, fingerprint uint64
	unprinted                    bool
}

// checkSums: what the verdicts say of each tier follows from the records.
func (s *Statement) checkSums() (wrong []string) {
	add := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	sums := map[cell]*sum{}
	for i := range s.Records {
		r := &s.Records[i]
		k := cell{r.Start.Unix(), r.End.Unix(), r.Tier}
		if sums[k] == nil {
			sums[k] = &sum{}
		}
		sums[k].add(r)
	}
	for i := range s.Windows {
		w := &s.Windows[i]
		for _, t := range w.Tiers {
			got := sums[cell{w.Start.Unix(), w.End.Unix(), t.Tier}]
			if got == nil {
				got = &sum{}
			}
			if got.messages != t.Messages || got.bytes != t.Bytes {
				add("window %s: the records of %s add up to %d messages of %d bytes, and the verdict has %d of %d", stamp(w.Start), t.Tier, got.messages, got.bytes, t.Messages, t.Bytes)
			}
			if print := got.print(); print != t.Fingerprint {
				add("window %s: the fingerprint of the records of %s is %q, and the verdict has %q", stamp(w.Start), t.Tier, print, t.Fingerprint)
			}
		}
		if !w.Empty {
			continue
		}
		for k, got := range sums {
			if k.start == w.Start.Unix() && got.messages > 0 {
				add("window %s is empty, and there are records of %d messages of %s", stamp(w.Start), got.messages, k.tier)
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

// add takes a record. As in a verdict, what has no message lacks no fingerprint.
func (s *sum) add(r *Record) {
	s.messages += r.Count
	s.bytes += r.Bytes
	f, err := strconv.ParseUint(r.Fingerprint, 10, 64)
	s.fingerprint += f
	if r.Count > 0 {
		s.unprinted = s.unprinted || err != nil || r.Mode != audit.FingerprintMode && r.Mode != audit.SumMode
	}
}

func (s *sum) print() string {
	if s.unprinted || s.messages == 0 {
		return ""
	}
	return strconv.FormatUint(s.fingerprint, 10)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
