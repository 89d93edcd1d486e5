package query

import (
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

// A TierLateness is how late the messages of a topic were at a tier, over a time.
type TierLateness struct {
	Tier string
	// Recorded is from the event to the record timestamp. Replicators keep that timestamp,
	// so at later tiers it says nothing of the hop before them.
	Recorded audit.Latency
	// Arrival is from the event to the moment at which a counter that kept up has read the
	// message: tiers are compared by it.
	Arrival audit.Latency
	// Curve says how many messages had come how long after their event: by arrival, where
	// that was measured, else as recorded.
	Curve []Arrived
	// Graces are how long to wait after a window ends for all but a share of its messages.
	Graces []Grace
}

// Arrived is the share, from 0 to 1, of messages that had come so long after their event.
type Arrived struct {
	After time.Duration
	Share float64
}

// Grace is how long to wait for a share of the messages: who waits so long after the end
// of a window has so many of any window, since no event is later than its end.
type Grace struct {
	Share float64
	Wait  time.Duration
}

// curve and graces are what is told of each tier.
var (
	curve = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute,
		5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}
	graces = []float64{0.99, 0.999, 0.9999, 1}
)

// Lateness sums up rows by tier, in the order in which tiers are given, and then the
// others by name. Rows are of one topic, as Source.Windows gives them.
func Lateness(rows []Row, tiers []string) []TierLateness {
	tiers = slices.Clone(tiers)
	var others []string
	for i := range rows {
		if t := rows[i].Tier; !slices.Contains(tiers, t) && !slices.Contains(others, t) {
			others = append(others, t)
		}
	}
	slices.Sort(others)
	var list []TierLateness
	for _, tier := range append(tiers, others...) {
		l := TierLateness{Tier: tier}
		for i := range rows {
			if rows[i].Tier == tier {
				l.Recorded.Merge(&rows[i].Latency)
				l.Arrival.Merge(&rows[i].Arrival)
			}
		}
		l.tell()
		list = append(list, l)
	}
	return list
}

// Late is the distribution that the curve is of.
func (l *TierLateness) Late() *audit.Latency {
	if l.Arrival.Count() > 0 {
		return &l.Arrival
	}
	return &l.Recorded
}

func (l *TierLateness) tell() {
	late := l.Late()
	n := late.Count()
	if n == 0 {
		return
	}
	for _, after := range curve {
		var seen uint64
		for bin, k := range late.Bins.All() {
			if audit.BinValue(bin) > float64(after.Milliseconds()) {
				break
			}
			seen += k
		}
		l.Curve = append(l.Curve, Arrived{after, float64(seen) / float64(n)})
		if seen == n {
			break
		}
	}
	for _, share := range graces {
		l.Graces = append(l.Graces, Grace{share, time.Duration(late.Quantile(share)) * time.Millisecond})
	}
}
