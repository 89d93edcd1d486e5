package count

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

func TestAfterLoss(t *testing.T) {
	cut, out, away := fmt.Errorf("offset 7: %w", counter.ErrTruncated), &logs.OutOfRange{Offset: 7}, logs.ErrUnavailable
	corrupt := func(to int64) error { return &logs.Corrupt{From: 7, To: to, Cause: errors.New("checksum")} }
	for _, x := range []struct {
		name   string
		lost   error
		next   int64
		e      edges
		start  int64
		reason audit.MissedReason
	}{
		{"it was away for a while", away, 7, edges{0, 9}, 7, ""},
		{"it is caught up", away, 9, edges{0, 9}, 9, ""},
		{"the last message, read again, was gone", out, 7, edges{7, 9}, 7, ""},
		{"retention was faster", out, 7, edges{8, 9}, 8, audit.MissedRetention},
		{"retention was faster, and the log is empty", away, 7, edges{9, 9}, 9, audit.MissedRetention},
		{"the log is shorter", out, 7, edges{0, 6}, 6, audit.MissedTruncated},
		{"the log is empty", away, 7, edges{0, 0}, 0, audit.MissedTruncated},
		{"the log was cut and has grown again", cut, 7, edges{0, 9}, 7, audit.MissedTruncated},
		{"the log was cut and is shorter", logs.ErrTruncated, 7, edges{0, 5}, 5, audit.MissedTruncated},
		{"it is known where the log was cut", &logs.Truncated{End: 5}, 7, edges{0, 9}, 5, audit.MissedTruncated},
		{"it was cut again meanwhile", fmt.Errorf("read: %w", &logs.Truncated{End: 5}), 7, edges{0, 4}, 4, audit.MissedTruncated},
		{"it was cut, and retention took the rest", &logs.Truncated{End: 5}, 7, edges{6, 9}, 6, audit.MissedTruncated},
		{"damage that ends", corrupt(8), 7, edges{0, 9}, 8, audit.MissedCorrupt},
		{"damage up to the end of the log", corrupt(12), 7, edges{0, 9}, 9, audit.MissedCorrupt},
		{"damage whose end is not known", corrupt(0), 7, edges{0, 9}, 7, ""},
		{"damage that retention has taken since", corrupt(8), 7, edges{8, 9}, 8, audit.MissedRetention},
		{"too old to be read in place", logs.ErrTooOld, 7, edges{0, 9}, 7, ""},
		{"the log was cut, and retention was faster", cut, 7, edges{8, 9}, 8, audit.MissedTruncated},
	} {
		if start, reason := afterLoss(x.lost, x.next, x.e); start != x.start || reason != x.reason {
			t.Errorf("%s: %d %q, want %d %q", x.name, start, reason, x.start, x.reason)
		}
	}
}

// TestAfterLossNothingIsLostAgain: wherever a source goes on, the log has it, and
// the same edges give no reason for another generation.
func TestAfterLossNothingIsLostAgain(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	lost := []error{counter.ErrTruncated, logs.ErrTruncated, &logs.OutOfRange{}, logs.ErrUnavailable, logs.ErrGone, logs.ErrTooOld, errors.New("else")}
	for range 20_000 {
		e := edges{start: r.Int64N(20)}
		e.end = e.start + r.Int64N(20)
		next, why := r.Int64N(50), lost[r.IntN(len(lost))]
		start, reason := afterLoss(why, next, e)
		if start < e.start || start > e.end {
			t.Fatalf("lost at %d by %v, log %+v: goes on at %d, which is not there", next, why, e, start)
		}
		if reason == "" && start != next || reason == audit.MissedRetention && start <= next {
			t.Fatalf("lost at %d by %v, log %+v: goes on at %d, reason %q", next, why, e, start, reason)
		}
		if again, reason := afterLoss(logs.ErrUnavailable, start, e); again != start || reason != "" {
			t.Fatalf("lost at %d by %v, log %+v: goes on at %d, and then at %d, reason %q", next, why, e, start, again, reason)
		}
	}
}
