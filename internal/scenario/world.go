package scenario

import (
	"fmt"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/settings"
)

// A world is everything that a script acts upon: the pipeline, the clock, and
// chaperone's parts with what they have stored. Nothing in it happens by itself
// but at settle.
type world struct {
	vary  *variation // nil: everything happens as it is written
	clock int64      // Unix milliseconds: the time of whoever appends to a log

	// The pipeline.
	places   []*place
	declared map[string]*declared
	copied   map[route]map[*entry]bool
	made     int // topics, for their ids
	messages int // for the budget

	// Configuration.
	size     time.Duration // of windows
	segments int           // windows in one
	horizon  time.Duration
	start    start
	decided  map[*place]*settings.Start // when counting started, where that is "latest"

	// The counting processor: its table, the session that owns the sources, and
	// the paused ones that believe they do.
	table   map[string][]byte
	current *session
	zombies []*session
	owners  int // sessions there have been, for their names

	// The audit topic, the collecting processor and its table.
	audit     [auditPartitions][]collect.Message
	pool      []auditRecord // on its way, where records are reordered
	collected map[string][]byte
	committed [auditPartitions]int64
	collector *collector
	beyond    bool // a record came after the horizon

	// The judge: nil where there is no pipeline. Applications by name.
	plan  *compare.Plan
	apps  map[string]*app
	watch func(*compare.Verdict, *compare.Standing) // of what is stored; nil: nobody
	// arrived is the newest version of each progress record that is on the audit topic: an
	// owner may only name those that were acknowledged.
	arrived map[string]int64

	// What is shown.
	tiers   []string // in order of declaration
	topics  []string // likewise
	out     string
	shown   bool // something in the block at hand
	settled bool // nothing is under way, and both processors run
	decoded map[string]*audit.Record

	mistake
}

// A start is where counting begins of what nobody has counted.
type start struct {
	latest bool
	at     int64 // Unix milliseconds, if not 0
}

func newWorld(v *variation) *world {
	return &world{
		vary: v, clock: midnight + 10*time.Hour.Milliseconds(), size: 10 * time.Minute, segments: 64, horizon: 48 * time.Hour,
		declared: map[string]*declared{}, copied: map[route]map[*entry]bool{}, decided: map[*place]*settings.Start{},
		table: map[string][]byte{}, collected: map[string][]byte{}, decoded: map[string]*audit.Record{},
		apps: map[string]*app{}, arrived: map[string]int64{},
	}
}

func (w *world) noteTier(name string) {
	if !slices.Contains(w.tiers, name) {
		w.tiers = append(w.tiers, name)
	}
}

func (w *world) noteTopic(name string) {
	if !slices.Contains(w.topics, name) {
		w.topics = append(w.topics, name)
	}
}

// An outcome is what came of a script: its outputs, and what was known where it
// came to rest.
type outcome struct {
	outputs []string // of the blocks that show one
	rests   []*rest  // of the same blocks; nil where something was under way
	end     *rest    // after everything that was stopped has been started
	records int      // on the audit topic then
}

// play runs the script.
func (s *Script) play(v *variation, m mistake) (*outcome, error) {
	w := newWorld(v)
	w.mistake = m
	for _, start := range []func() error{w.startCounting, w.startCollecting} {
		if err := start(); err != nil {
			return nil, err
		}
	}
	var o outcome
	for _, b := range s.blocks {
		w.out, w.shown = "", false
		for i := range b.lines {
			l := &b.lines[i]
			if err := w.happen(); err != nil {
				return nil, l.fail("%v", err)
			}
			a := &args{line: l, clock: w.clock}
			w.settled = w.settled && l.verb == verbShow
			err := l.do(w, a)
			if a.err != nil { // said first
				err = a.err
			}
			if err != nil {
				if e, ok := err.(*Error); ok {
					return nil, e
				}
				return nil, l.fail("%v", err)
			}
		}
		if !b.shows {
			continue
		}
		at, err := w.conclude()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
		o.outputs = append(o.outputs, w.out)
		o.rests = append(o.rests, at)
	}
	end, err := w.finish()
	if err != nil {
		return nil, fmt.Errorf("%s, at its end: %w", s.Name, err)
	}
	o.end = end
	for _, log := range w.audit {
		o.records += len(log)
	}
	return &o, nil
}

// Run plays the script and gives it back with the outputs that came of it.
func (s *Script) Run() (string, error) {
	o, err := s.play(nil, mistake{})
	if err != nil {
		return "", err
	}
	return s.text(o.outputs), nil
}

// settle lets whatever runs do all that there is to do.
func (w *world) settle() error {
	for range w.vary.between(0, 3) { // more may happen before everything is counted, and before it is collected
		if err := w.counted(); err != nil {
			return err
		}
		for range w.vary.between(0, 4) {
			if err := w.happen(); err != nil {
				return err
			}
		}
	}
	if err := w.counted(); err != nil {
		return err
	}
	w.deliver(len(w.pool))
	if w.collector != nil {
		if err := w.collector.settle(); err != nil {
			return err
		}
	}
	w.settled = w.current != nil && w.collector != nil
	return nil
}

func (w *world) counted() error {
	if w.current == nil {
		return nil
	}
	return w.current.settle()
}

// finish starts what is stopped, settles, and says what is known.
func (w *world) finish() (*rest, error) {
	if w.current == nil {
		if err := w.startCounting(); err != nil {
			return nil, err
		}
	}
	if w.collector == nil {
		if err := w.startCollecting(); err != nil {
			return nil, err
		}
	}
	if err := w.settle(); err != nil {
		return nil, err
	}
	r, err := w.rest()
	if err != nil || w.beyond {
		return r, err
	}
	all, err := w.history()
	r.history = w.known(all)
	return r, err
}

// conclude ends a block: it shows the table if nothing else was shown.
func (w *world) conclude() (*rest, error) {
	if !w.shown && w.vary == nil {
		held, err := w.answers()
		if err != nil {
			return nil, err
		}
		w.showTable(held, false)
	}
	return w.rest()
}

// advance lets time pass, and with it all that there is to do.
func (w *world) advance(a *args) error {
	d, err := parseDuration(a.word(0))
	if err != nil || d < 0 {
		return a.fail("%q: want a duration such as 15m", a.word(0))
	}
	if w.plan == nil {
		w.clock += d.Milliseconds()
		return w.settle()
	}
	return w.pass(d.Milliseconds())
}
