package alerts

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A Snapshot is what the judge has said, as of one moment.
type Snapshot struct {
	AsOf      int64               // the log's time: the newest moment of a judgement, Unix milliseconds
	Verdicts  []*compare.Verdict  // by topic and start
	Standings []*compare.Standing // by topic
	// Recent is the start from which on there are all verdicts, Unix seconds; before it
	// only those in which something is wrong.
	Recent int64
}

// NewSnapshot takes the log's time from what has been said.
func NewSnapshot(verdicts []*compare.Verdict, standings []*compare.Standing) *Snapshot {
	s := &Snapshot{Verdicts: verdicts, Standings: standings}
	for _, v := range verdicts {
		s.AsOf = max(s.AsOf, v.Judged)
	}
	for _, x := range standings {
		s.AsOf = max(s.AsOf, x.Judged)
	}
	return s
}

// Look asks for what the next step needs: of the span the verdicts in which something is
// wrong, and of recent windows all. To decode those of a thousand topics and a day would
// take seconds.
func (r *Rules) Look(ctx context.Context, j query.Judged, st *State) (*Snapshot, error) {
	standings, err := j.Standings(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("ask how topics stand: %w", err)
	}
	size, asOf := int64(0), NewSnapshot(nil, standings).AsOf
	for _, x := range standings {
		size = max(size, x.Size)
	}
	if st != nil {
		asOf = max(asOf, st.AsOf)
	}
	until := asOf/1000 + farAhead
	wrong, err := j.Verdicts(ctx, query.Verdicts{From: r.from(st, asOf), To: until, Kinds: []compare.Kind{compare.Missing, compare.Altered, compare.Duplicated, compare.Unknown, compare.Late}})
	if err != nil {
		return nil, fmt.Errorf("ask for verdicts: %w", err)
	}
	recent := until
	if run, any := r.run(); any {
		recent = asOf/1000 - run - 4*size
	}
	all, err := j.Verdicts(ctx, query.Verdicts{From: recent, To: until})
	if err != nil {
		return nil, fmt.Errorf("ask for recent verdicts: %w", err)
	}
	s := NewSnapshot(union(wrong, all), standings)
	s.Recent = recent
	return s, nil
}

// run is for how long the newest windows have to be known, in seconds, if at all.
func (r *Rules) run() (longest int64, any bool) {
	for _, x := range r.rules {
		switch x.Subject {
		case Latency, Arrival, Skew, NoTime, Malformed:
			longest, any = max(longest, int64(x.For/time.Second)), any || r.mode(x) != Off
		}
	}
	return longest, any
}

// union has each window once, in order.
func union(lists ...[]*compare.Verdict) []*compare.Verdict {
	all := slices.Concat(lists...)
	order := func(a, b *compare.Verdict) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Size, b.Size))
	}
	slices.SortStableFunc(all, func(a, b *compare.Verdict) int { return cmp.Or(order(a, b), cmp.Compare(b.Version, a.Version)) })
	return slices.CompactFunc(all, func(a, b *compare.Verdict) bool { return order(a, b) == 0 })
}

// farAhead is later than any window starts that can have ended.
const farAhead = 24 * 60 * 60

// from is the start of the oldest windows to look at: those of the span, and those that
// may have become final within it because they were counted late.
func (r *Rules) from(st *State, asOf int64) int64 {
	from := asOf/1000 - int64(r.c.Span/time.Second)
	if st != nil && st.Oldest > 0 {
		from = min(from, st.Oldest)
	}
	if st != nil { // what an alert has found must be looked at as long as it lives
		for _, e := range st.Entries {
			if e.Alert.Start > 0 {
				from = min(from, e.Alert.Start)
			}
		}
	}
	return max(from, asOf/1000-farBack)
}

const farBack = 7 * 24 * 60 * 60

// reached notes how far back windows may have become final lately.
func (st *State) reached(s *Snapshot, span time.Duration) {
	oldest := s.AsOf / 1000
	for _, x := range s.Standings {
		oldest = min(oldest, max(x.Until, x.Since))
	}
	if st.Oldest == 0 || oldest <= st.Oldest || s.AsOf-st.OldestAt > span.Milliseconds() {
		st.Oldest, st.OldestAt = oldest, s.AsOf
	}
}
