package torture

import (
	"math/rand/v2"
	"slices"
	"time"
)

// A Fault is a kind of thing that goes wrong.
type Fault struct {
	Name string
	What string // for people, a sentence without its end
	lane lane
	// hold is how long it lasts: at least, and as a share of the whole time.
	least time.Duration
	share float64
	// needs says why it cannot be done here; empty if it can.
	needs func(*world) string
	// cuts says that a log is cut: meanwhile nobody counts who would not hear of it.
	cuts bool
	// inject lets it happen, holds it so long, and undoes it.
	inject func(*injection) error
}

// A lane is a sequence of faults. Faults of different lanes happen at once.
type lane int

const (
	processes lane = iota
	brokers
	network
	store
	topics
	lanes
)

// A Step of a Plan.
type Step struct {
	Fault *Fault
	After time.Duration // pause before it, in its lane
	Hold  time.Duration
	Seed  uint64 // of what is left to chance in it
}

// A Plan says what happens in each lane, in order.
type Plan [lanes][]Step

// NewPlan is a function of its arguments. Every fault is there once at least,
// and again for as long as there is time.
func NewPlan(seed uint64, within time.Duration, faults []*Fault) (p Plan) {
	for l := range lanes {
		rng := rand.New(rand.NewPCG(seed, uint64(l)))
		var kinds []*Fault
		for _, f := range faults {
			if f.lane == l {
				kinds = append(kinds, f)
			}
		}
		if len(kinds) == 0 {
			continue
		}
		at := time.Duration(0)
		for round := 0; round == 0 || at < within; round++ {
			order := slices.Clone(kinds)
			rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			for _, f := range order {
				if round > 0 && at >= within {
					break
				}
				hold := max(f.least, time.Duration(f.share*float64(within)))
				hold += time.Duration(rng.Float64() * float64(hold) / 4)
				s := Step{Fault: f, After: time.Duration(rng.Float64() * float64(time.Second)), Hold: hold, Seed: rng.Uint64()}
				p[l] = append(p[l], s)
				at += s.After + s.Hold
			}
		}
	}
	return p
}
