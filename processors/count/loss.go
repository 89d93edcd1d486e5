package count

import (
	"errors"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// afterLoss decides how a source goes on that its reader has lost at next, given
// its log's edges now: in a new generation that begins at start, for a reason, or,
// if there is none, where it was. A log that was cut is read on at next if it has
// grown beyond it: nobody knows where the cut was, and no offset may count twice.
func afterLoss(lost error, next int64, e edges) (start int64, reason audit.MissedReason) {
	cut := errors.Is(lost, counter.ErrTruncated) || errors.Is(lost, logs.ErrTruncated)
	var exact *logs.Truncated
	var bad *logs.Corrupt
	switch {
	case errors.As(lost, &exact):
		return max(e.start, min(next, exact.End, e.end)), audit.MissedTruncated
	case cut || next > e.end:
		return max(e.start, min(next, e.end)), audit.MissedTruncated
	case next < e.start:
		return e.start, audit.MissedRetention
	case errors.As(lost, &bad) && bad.To > next:
		return min(bad.To, e.end), audit.MissedCorrupt
	}
	// The log has it. If it was out of range, it was the last message, read again,
	// that was gone.
	return next, ""
}
