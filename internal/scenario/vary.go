package scenario

import (
	"math/rand/v2"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// A Property is something that may be done differently without any effect on
// what is known in the end.
type Property string

// The properties.
const (
	Repartition Property = "repartition" // topics have other numbers of partitions
	Split       Property = "split"       // messages are counted, and counts flushed and collected, at any moment and in any portions
	Crash       Property = "crash"       // counting instances die, or are paused and wake up, at any point with any part of a flush still to come
	Reorder     Property = "reorder"     // records come in any order, late, and more than once
	Recollect   Property = "recollect"   // the collecting processor dies at any point with any part of its writes
)

// Properties are all of them.
var Properties = []Property{Repartition, Split, Crash, Reorder, Recollect}

// A variation does some things differently, as chance will have it. Of a nil
// one nothing is different. The same seed gives the same run.
type variation struct {
	properties map[Property]bool
	*rand.Rand
}

func vary(seed uint64, properties ...Property) *variation {
	v := &variation{properties: map[Property]bool{}, Rand: rand.New(rand.NewPCG(seed, 11))}
	for _, p := range properties {
		v.properties[p] = true
	}
	return v
}

func (v *variation) is(p Property) bool { return v != nil && v.properties[p] }

// partitions is how many a topic gets.
func (v *variation) partitions(n int) int {
	if v.is(Repartition) {
		return 1 + v.IntN(9)
	}
	return n
}

// between is a number from low to below high, and low without a variation.
func (v *variation) between(low, high int) int {
	if v == nil {
		return low
	}
	return low + v.IntN(high-low)
}

// happen lets some of what may happen at any moment happen.
func (w *world) happen() error {
	for range w.vary.between(0, 6) {
		var err error
		switch p := Properties[w.vary.IntN(len(Properties))]; {
		case !w.vary.is(p):
		case p == Split:
			err = w.portion()
		case p == Crash:
			err = w.misfortune()
		case p == Reorder:
			w.deliver(w.vary.IntN(1 + len(w.pool)))
		case p == Recollect && w.collector != nil:
			err = w.recollect()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// portion lets one processor do some of its work.
func (w *world) portion() error {
	if w.collector != nil && w.vary.IntN(2) == 0 {
		p := w.vary.IntN(auditPartitions)
		if err := w.collector.apply(p, 1+w.vary.IntN(8)); err != nil {
			return err
		}
		if w.vary.IntN(2) == 0 {
			w.collector.store(p, everything)
		}
		return nil
	}
	if w.current == nil {
		return nil
	}
	return w.act(w.current)
}

// act lets a session do one thing.
func (w *world) act(s *session) error {
	switch w.vary.IntN(5) {
	case 0, 1:
		return s.read(1+w.vary.IntN(20), nil)
	case 2:
		return s.begin()
	case 3:
		w.drip(s)
		return s.acknowledged()
	}
	return s.until(idle)
}

// drip lets some of what a session has sent arrive: the table and the audit
// topic acknowledge apart.
func (w *world) drip(s *session) {
	s.land(w.vary.IntN(len(s.out)+1), toTable)
	s.land(w.vary.IntN(len(s.out)+1), toAudit)
}

// misfortune ends the session that owns the sources, or lets a former one act.
func (w *world) misfortune() error {
	if len(w.zombies) > 0 && w.vary.IntN(2) == 0 {
		return w.act(w.zombies[w.vary.IntN(len(w.zombies))])
	}
	if w.current == nil || w.made == 0 {
		return nil
	}
	s := w.current
	for range w.vary.IntN(4) {
		if err := w.act(s); err != nil {
			return err
		}
	}
	if w.vary.IntN(2) == 0 {
		w.zombies = append(w.zombies, s)
	} else {
		w.drip(s)
	}
	return w.startCounting()
}

func (w *world) recollect() error {
	for p := range w.collector.machines {
		if err := w.collector.apply(p, w.vary.IntN(12)); err != nil {
			return err
		}
		if n, _ := w.collector.machines[p].Pending(); w.vary.IntN(3) > 0 {
			w.collector.store(p, w.vary.IntN(n+2))
		}
	}
	return w.startCollecting()
}

// mistake switches a mistake on that the properties must notice: one that cannot
// be seen to fail proves nothing.
type mistake struct {
	ledgersEarly bool // ledgers are written before their rows
	commitEarly  bool // the collecting processor commits what it has not written
	lastWins     bool // the record that came last is believed, not the highest version
	byClock      bool // a message without a time is counted in the window of the clock
	byOffset     bool // where a message lies is part of its fingerprint
}

func (m *mistake) spoil(e *counter.Event, w *world) {
	if m.byClock && e.Class == audit.NoTime {
		e.Window = audit.WindowAt(w.clock, int64(w.size.Seconds())).Start
	}
	if m.byOffset {
		e.Hash += uint64(e.Offset)
	}
}
