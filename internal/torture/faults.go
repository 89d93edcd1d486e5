package torture

import (
	"context"
	"errors"
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

// inject lets a fault happen. While those without chaperone's fault last, and a while
// longer, it is known that they do.
func (i *injection) inject(f *Fault) error {
	if f.cuts {
		i.w.cutting.Lock()
		defer i.w.cutting.Unlock()
	}
	if f.lane == brokers || f.lane == network || f.lane == store {
		i.w.mu.Lock()
		i.w.trouble++
		i.w.mu.Unlock()
		defer func() {
			i.w.mu.Lock()
			i.w.trouble--
			i.w.troubled = time.Now()
			i.w.mu.Unlock()
		}()
	}
	return f.inject(i)
}

// undisturbed says whether nothing that chaperone needs has been away since then,
// or for a while before.
func (w *world) undisturbed(since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.trouble == 0 && w.troubled.Before(since.Add(-afterTrouble))
}

// afterTrouble is how long clients may take to find their brokers again.
const afterTrouble = 15 * time.Second

// wait lets time pass, unless the run ends.
func (i *injection) wait(d time.Duration) {
	select {
	case <-i.ctx.Done():
	case <-time.After(d):
	}
}

// patience is how long a cluster may be away, by other faults, before what was to
// be done to it is given up.
const patience = 4 * time.Minute

// persist does something that must be done, also if the run has ended meanwhile,
// and again while it fails: brokers may be away. What has been done already, says
// done of an error.
func (i *injection) persist(done error, do func(context.Context) error) error {
	return persist(i.ctx, done, do)
}

func persist(ctx context.Context, done error, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	for {
		once, end := context.WithTimeout(ctx, patience/3)
		err := do(once)
		end()
		if err == nil || done != nil && errors.Is(err, done) {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
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
