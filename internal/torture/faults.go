package torture

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"
)

// An injection is a fault that happens.
type injection struct {
	ctx  context.Context
	w    *world
	rng  *rand.Rand
	hold time.Duration
}

// wait lets time pass, unless the run ends.
func (i *injection) wait(d time.Duration) {
	select {
	case <-i.ctx.Done():
	case <-time.After(d):
	}
}

// some picks one.
func (i *injection) some(names ...string) string { return names[i.rng.IntN(len(names))] }

// faults are all there are, in the order of the report.
var faults = slices.Concat(processFaults, brokerFaults, networkFaults, storeFaults, topicFaults)

// Faults lists them for people.
func Faults() []*Fault { return slices.Clone(faults) }

// Names of all faults.
func Names() (names []string) {
	for _, f := range faults {
		names = append(names, f.Name)
	}
	return names
}

func anywhere(*world) string { return "" }
