package query_test

import (
	"math"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

func TestInstancesAreSilentAfterTwoMissedTurns(t *testing.T) {
	now := time.Unix(1769860800, 0)
	for outcome, c := range map[string]struct {
		every int64
		ago   time.Duration
		ended bool
		want  query.State
	}{
		"in time":                     {1000, 3 * time.Second, false, query.Running},
		"late":                        {1000, 3*time.Second + 1, false, query.Silent},
		"late, after its goodbye":     {1000, time.Hour, true, query.Ended},
		"it has not said how often":   {0, 1000 * time.Hour, false, query.Running},
		"less often than time allows": {math.MaxInt64, time.Hour, false, query.Running},
		"three times is too long":     {math.MaxInt64 / 2_000_000, time.Hour, false, query.Running},
		"a negative time":             {-1000, time.Hour, false, query.Running},
		"the most negative one":       {math.MinInt64 + 1_000_000, time.Hour, false, query.Running},
	} {
		i := query.Instance{AsOf: now.Add(-c.ago), Ended: c.ended, ClientCount: audit.ClientCount{Every: c.every}}
		if got := i.State(now); got != c.want {
			t.Errorf("%s: %s, want %s", outcome, got, c.want)
		}
	}
}
