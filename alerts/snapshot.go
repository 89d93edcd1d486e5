package alerts

import (
	"context"
	"fmt"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A Snapshot is what the judge has said, as of one moment.
type Snapshot struct {
	AsOf      int64               // the log's time: the newest moment of a judgement, Unix milliseconds
	Verdicts  []*compare.Verdict  // by topic and start
	Standings []*compare.Standing // by topic
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

// Look asks for what the next step needs.
func (r *Rules) Look(ctx context.Context, j query.Judged, st *State) (*Snapshot, error) {
	standings, err := j.Standings(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("ask how topics stand: %w", err)
	}
	asOf := NewSnapshot(nil, standings).AsOf
	if st != nil {
		asOf = max(asOf, st.AsOf)
	}
	verdicts, err := j.Verdicts(ctx, query.Verdicts{From: r.from(st, asOf), To: asOf/1000 + farAhead})
	if err != nil {
		return nil, fmt.Errorf("ask for verdicts: %w", err)
	}
	return NewSnapshot(verdicts, standings), nil
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
