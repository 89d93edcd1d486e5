package scenario

import (
	"math"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/settings"
)

// What a script does to counting instances.

func (w *world) begin(a *args) error {
	if w.current != nil || len(w.table) > 0 {
		return a.fail("where counting begins is decided before it does; write first: stop count")
	}
	switch text := a.word(0); text {
	case "earliest":
		w.start = start{}
	case "latest":
		w.start = start{latest: true}
	default:
		at, err := parseTime(text, w.clock)
		if err != nil {
			return a.fail("%q: want earliest, latest or a time such as 10:00", text)
		}
		w.start = start{at: at}
	}
	return nil
}

// startOf is where counting of a source begins that nobody has counted.
func (w *world) startOf(src audit.Source, p *place, l *log) int64 {
	from := w.start.at
	if w.start.latest {
		d := w.decided[p]
		if d == nil { // what is listed when it is first asked for existed
			d = &settings.Start{Time: time.UnixMilli(w.clock), Topics: map[string]int32{}}
			for _, t := range p.topics {
				d.Topics[t.id.String()] = int32(len(t.partitions))
			}
			w.decided[p] = d
		}
		if !d.Existed(src) {
			return l.start
		}
		from = d.Time.UnixMilli()
	} else if from == 0 {
		return l.start
	}
	for _, e := range l.entries {
		if e.Time >= from {
			return e.offset
		}
	}
	return l.end
}

// running gives the session that owns the sources.
func (w *world) running(a *args) (*session, error) {
	if w.current == nil {
		return nil, a.fail("no counting instance runs; write first: start count")
	}
	return w.current, nil
}

func (w *world) count(a *args) error {
	s, err := w.running(a)
	if err != nil {
		return err
	}
	n := a.number("n", math.MaxInt, 1, budget)
	if a.err != nil {
		return a.err
	}
	var only *place
	if a.has("tier") {
		if only, err = w.place(a, a.options["tier"]); err != nil {
			return err
		}
	}
	return s.read(n, only)
}

func (w *world) flush(a *args) error {
	s, err := w.running(a)
	if err != nil {
		return err
	}
	return s.flush()
}

func (w *world) rebalance(a *args) error {
	s, err := w.running(a)
	if err != nil {
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	return w.startCounting()
}

// strike lets the instance begin a flush and stop in the middle of it.
func (w *world) strike(a *args) (*session, error) {
	s, err := w.running(a)
	if err != nil {
		return nil, err
	}
	if a.has("after") {
		if err := s.beginRows(); err != nil {
			return nil, err
		}
		switch a.options["after"] {
		case "table":
			s.land(len(s.out), toTable)
		case "rows":
			s.land(len(s.out), anywhere)
		case "ledger":
			if err := s.until(ledgers); err != nil {
				return nil, err
			}
		}
	}
	w.current = nil
	return s, nil
}

// beginRows begins a round that has rows, if there are any to be written: the
// first round of a generation has none.
func (s *session) beginRows() error {
	for range 2 {
		if err := s.begin(); err != nil || len(s.out) > 0 {
			return err
		}
		if err := s.until(idle); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) pause(a *args) error {
	s, err := w.strike(a)
	if err == nil {
		w.zombies = append(w.zombies, s)
	}
	return err
}

// wake lets paused instances go on as if nothing had happened: what they had
// sent arrives, they count, and they flush.
func (w *world) wake(a *args) error {
	if len(w.zombies) == 0 {
		return a.fail("no counting instance is paused; write first: pause count")
	}
	n := a.number("n", math.MaxInt, 1, budget)
	for _, s := range w.zombies {
		if err := s.until(idle); err != nil {
			return err
		}
		if err := s.read(n, nil); err != nil {
			return err
		}
		if err := s.until(idle); err != nil {
			return err
		}
	}
	return a.err
}
