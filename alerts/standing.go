package alerts

import (
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// standing finds what is so of a topic now.
func (f *finder) standing(s *compare.Standing) {
	for _, rule := range f.rules {
		switch rule.Subject {
		case Lag:
			f.lag(rule, s)
		case Silence:
			f.silence(rule, s)
		}
	}
}

// lag finds tiers that are not counted far enough.
func (f *finder) lag(rule *rule, s *compare.Standing) {
	for i := range s.Tiers {
		t := &s.Tiers[i]
		until := max(t.Until, s.Since*1000)
		behind := millis(lagOf(s, t, until, f.asOf))
		if !rule.aboutTier(t.Tier) || behind <= rule.Above || t.Until == 0 && !placed(t.Holds) {
			continue
		}
		h := &hit{rule: rule, Cause: query.Cause{To: t.Tier, Subject: string(Lag)}, began: until + rule.Above.Milliseconds(),
			window: audit.WindowAt(until, s.Size), says: fmt.Sprintf("%s has not been counted for %s", t.Tier, short(behind))}
		if len(t.Holds) > 0 {
			h.Reason = t.Holds[0].Reason
			h.Cluster, h.Datacenter = agreed(t.Holds, func(x *compare.Hold) *compare.Place { return &x.Place })
			h.says += fmt.Sprintf(": %s is held up (%s)", t.Holds[0].String(), h.Reason)
		}
		if rule.aboutReason(h.Reason) {
			f.add(h)
		}
	}
}

// lagOf is how far a tier is behind for certain. A standing is said anew when a window is
// settled, or when other sources hold it up; in between a tier may have come further, by
// less than a window.
func lagOf(s *compare.Standing, t *compare.Reach, until, asOf int64) int64 {
	if len(t.Holds) == 0 {
		return s.Judged - until
	}
	return max(s.Judged-until, asOf-until-s.Size*1000)
}

// placed says whether what holds a tier up is known. Records of the original Chaperone
// never say how far they have counted.
func placed(holds []compare.Hold) bool {
	return len(holds) > 0 && (holds[0].Cluster != "" || holds[0].Instance != "")
}

// silence finds the first tier of a pipeline that has had no message for too long, as far
// as it has been counted. Those behind it have none because it has none.
func (f *finder) silence(rule *rule, s *compare.Standing) {
	for i := range s.Tiers {
		t := &s.Tiers[i]
		if t.Newest == 0 || !rule.aboutTier(t.Tier) {
			continue
		}
		last := (t.Newest + s.Size) * 1000
		quiet := millis(min(s.Judged, t.Until) - last)
		if quiet <= rule.Above {
			continue
		}
		f.add(&hit{rule: rule, Cause: query.Cause{Pipeline: s.Pipeline, To: t.Tier, Subject: string(Silence)}, began: last + rule.Above.Milliseconds(),
			window: audit.Window{Start: t.Newest, Size: s.Size},
			says:   fmt.Sprintf("%s has had no message since the window that ends at %s, for %s", t.Tier, clock(last), short(quiet))})
		return
	}
}

// stalled finds that nothing is judged at all: then the log's time stands still, and
// every other rule with it.
func (f *finder) stalled(s *Snapshot) {
	size := int64(0)
	for _, x := range s.Standings {
		size = max(size, x.Size)
	}
	if s.AsOf == 0 {
		return
	}
	f.begin("")
	still := millis(f.now - s.AsOf)
	for _, rule := range f.rules {
		if rule.Subject != Stalled || still <= rule.Above+time.Duration(size)*time.Second {
			continue
		}
		f.add(&hit{rule: rule, Cause: query.Cause{Subject: string(Stalled)}, began: s.AsOf + rule.Above.Milliseconds(),
			says: fmt.Sprintf("nothing has been judged since %s, for %s: do instances that count and collect run, and is the audit cluster there?", clock(s.AsOf), short(still))})
	}
}

func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04 UTC") }
