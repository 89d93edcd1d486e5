// Package health collects how each part of the program is, with reasons, for
// /health and the log.
package health

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// A State is how a part is.
type State string

// OK works; Degraded works but something is amiss that may heal; Down does not.
const (
	OK       State = "ok"
	Degraded State = "degraded"
	Down     State = "down"
)

// Starting is the reason of a part that has not yet said anything.
const Starting = "starting"

// A Report is the newest word of one part.
type Report struct {
	Part   string    `json:"part"`
	State  State     `json:"state"`
	Reason string    `json:"reason,omitempty"` // and what to do, for people
	Since  time.Time `json:"since"`            // when the state last changed
}

// A Registry holds the reports. The zero value is ready; safe for concurrent use.
type Registry struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Changed, if set before first use, hears of every change of a state.
	Changed func(Report)

	mu    sync.Mutex
	parts map[string]Report
}

// A Part reports for one part of the program. A nil Part reports nowhere.
type Part struct {
	name string
	r    *Registry
}

// Part registers a part; it is down, starting, until it says otherwise.
func (r *Registry) Part(name string) *Part {
	p := &Part{name: name, r: r}
	p.Set(Down, Starting)
	return p
}

// OK, Degraded and Down report.
func (p *Part) OK()                    { p.Set(OK, "") }
func (p *Part) Degraded(reason string) { p.Set(Degraded, reason) }
func (p *Part) Down(reason string)     { p.Set(Down, reason) }

// Set reports a state with its reason.
func (p *Part) Set(s State, reason string) {
	if p == nil {
		return
	}
	r := p.r
	r.mu.Lock()
	if r.parts == nil {
		r.parts = map[string]Report{}
	}
	now := time.Now
	if r.Now != nil {
		now = r.Now
	}
	old, known := r.parts[p.name]
	rep := Report{Part: p.name, State: s, Reason: reason, Since: old.Since}
	if !known || old.State != s {
		rep.Since = now()
	}
	r.parts[p.name] = rep
	changed := r.Changed
	r.mu.Unlock()
	if changed != nil && (!known || old.State != s) {
		changed(rep)
	}
}

// Remove forgets a part that no longer exists.
func (p *Part) Remove() {
	if p == nil {
		return
	}
	p.r.mu.Lock()
	defer p.r.mu.Unlock()
	delete(p.r.parts, p.name)
}

// Reports lists the newest word of each part, by name, and the worst state.
func (r *Registry) Reports() (list []Report, worst State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	worst = OK
	for _, name := range slices.Sorted(maps.Keys(r.parts)) {
		p := r.parts[name]
		list = append(list, p)
		if p.State == Down || p.State == Degraded && worst == OK {
			worst = p.State
		}
	}
	return list, worst
}
