// Package sinktest holds what every sink has to fulfil, as tests.
//
// The measure of an answer is query.Group over everything that was written: a
// store says in its own language what Group says in Go. Of verdicts, and of alerts,
// it is the newest of those written, in the same JSON.
package sinktest

import (
	"testing"

	"github.com/chaperone-audit/chaperone/sinks"
)

// Run runs the suite. newSink makes an empty sink that keeps windows of any age
// and cleans up with the test.
func Run(t *testing.T, newSink func(testing.TB) sinks.Sink) {
	for _, c := range []struct {
		outcome string
		story   func(*testing.T, *store)
	}{
		{"nothing written gives no rows", nothing},
		{"a batch may be empty", empty},
		{"a batch may be written again", again},
		{"a newer record replaces an older one", newer},
		{"an older record after a newer one changes nothing", older},
		{"a batch may hold several versions of a record", versions},
		{"the owner of a record is no part of its identity", owners},
		{"segments and generations add up", segments},
		{"generations below the base drop out", bases},
		{"a base is learnt from progress", progressBase},
		{"every kind is accepted", kinds},
		{"a window record that says nothing is rejected", hollow},
		{"original records count once each", originals},
		{"numbers at the edges survive", edges},
		{"names of any kind survive", names},
		{"rows are told apart and filtered as asked", dimensions},
		{"percentiles of the whole are within 1 %", percentiles},
		{"topics are listed", topics},
		{"records are given as they count", recorded},
		{"a context that ended is an error and no rejection", cancelled},
		{"writers do not disturb each other", concurrent},
		{"any order, cut and repetition gives the same answer", reordered},
		{"no verdicts are an answer", noVerdicts},
		{"a verdict is read back as it was written", verdictsAsWritten},
		{"verdicts may be written again", verdictsAgain},
		{"the newest verdict of a window counts, whenever it comes", newerVerdicts},
		{"verdicts are filtered and ordered as asked", verdictsAsAsked},
		{"a verdict of no window is rejected", hollowVerdicts},
		{"verdicts and a context that ended", cancelledVerdicts},
		{"any order, cut and repetition of verdicts gives the same answer", reorderedVerdicts},
		{"the newest word of an alert counts, whenever it comes", newestAlerts},
		{"alerts are filtered and ordered as asked", alertsAsAsked},
		{"an alert without a key is rejected", hollowAlerts},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			s := newSink(t)
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			c.story(t, &store{t: t, Sink: s})
		})
	}
}
