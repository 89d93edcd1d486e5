package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A rest is what is known when nothing is under way: every tally in full, and
// how much was missed. It is what a property compares.
type rest struct {
	known    string
	verdicts string // of windows that are final
	history  string // the same out of all records, at the end; empty where some came too late to be kept
}

func (w *world) rest() (*rest, error) {
	if !w.settled {
		return nil, nil
	}
	held, err := w.answers()
	if err != nil {
		return nil, err
	}
	verdicts, _, err := w.verdicts()
	if err != nil {
		return nil, err
	}
	return &rest{known: w.known(held), verdicts: settled(verdicts)}, nil
}

func (w *world) known(held []answer) string {
	var text strings.Builder
	for _, topic := range w.topics {
		for _, r := range w.inOrder(windows(topic, held, query.ByDatacenter)) {
			fmt.Fprintf(&text, "%s %s %s: count %d, bytes %d, without time %d, malformed %d, out of bounds %d, partial %t, originals %d, fingerprint %x, power sums %x, of moments %x\n",
				topic, label(r.Window), placeName(r.Tier, r.Datacenter), r.Count, r.Bytes, r.NoTime, r.Malformed, r.OutOfBounds, r.Partial, r.Originals,
				r.Fingerprint, r.PowerSums, r.Moments)
			fmt.Fprintf(&text, "\tlatency: sum %d, max %d, negative %d to %d, bins", r.Latency.Sum, r.Latency.Max, r.Latency.Negative, r.Latency.NegativeMax)
			for bin, n := range r.Latency.Bins.All() {
				fmt.Fprintf(&text, " %d:%d", bin, n)
			}
			text.WriteString("\n")
		}
		sums := map[string]int64{}
		for _, m := range missed(topic, held) {
			sums[fmt.Sprintf("%s %s: missed (%s)", topic, placeName(m.Tier, m.Datacenter), m.Missed.Reason)] += m.Missed.To - m.Missed.From
		}
		for _, what := range slices.Sorted(maps.Keys(sums)) {
			fmt.Fprintf(&text, "%s at most %d\n", what, sums[what])
		}
	}
	return text.String()
}

// settled are the verdicts of windows that are final. Which messages it is about, and so
// how exactly their number is known, may depend on the partitions.
func settled(verdicts []*compare.Verdict) string {
	var text strings.Builder
	for _, v := range verdicts {
		if v.State.Settled() {
			fmt.Fprintf(&text, "%s %s: verdict %s\n", v.Topic, label(v.Window()), v.Kind)
		}
	}
	return text.String()
}
