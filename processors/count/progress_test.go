package count

import (
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

func TestProgressSaysHowFarTheLogGoes(t *testing.T) {
	src := audit.Source{Cluster: "c", Topic: "orders", Partition: 3}
	for _, x := range []struct {
		name      string
		asked     limits
		end, high int64
		caughtUp  audit.CaughtUp
	}{
		{"to the end", limits{9, 9}, 9, 9, audit.CaughtUpYes},
		{"to a transaction that is open", limits{9, 20}, 9, 20, audit.CaughtUpYes},
		{"not so far", limits{12, 20}, 12, 20, audit.CaughtUpNo},
		{"messages came between the two answers", limits{12, 11}, 12, 12, audit.CaughtUpNo},
		{"the end in all is not known", limits{9, -1}, 9, -1, audit.CaughtUpYes},
		{"the end for readers is not known", limits{-1, 20}, -1, 20, audit.CaughtUpUnknown},
		{"neither is known", limits{-1, -1}, -1, -1, audit.CaughtUpUnknown},
		{"it is shorter than what was counted", limits{5, 7}, 5, 7, audit.CaughtUpUnknown},
	} {
		s := &counted{x: &source{Source: src}, ledger: counter.Ledger{Next: 9}, exact: true}
		got := s.progress(map[audit.Source]limits{src: x.asked}, nil)
		if got.End != x.end || got.HighWatermark != x.high || got.CaughtUp != x.caughtUp {
			t.Errorf("%s: end %d, high watermark %d, caught up %s, want %d, %d, %s", x.name, got.End, got.HighWatermark, got.CaughtUp, x.end, x.high, x.caughtUp)
		}
		if x.asked == (limits{-1, -1}) {
			if none := s.progress(nil, nil); none != got {
				t.Errorf("%s: %+v, and without an answer %+v", x.name, got, none)
			}
		}
	}
}
