package counter

import (
	"fmt"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// An actor is a session of an instance that was given a source.
type actor struct {
	src     *source
	c       *Counter
	name    string
	k       int // its configuration
	digest  string
	out     []*write     // sent in order, not yet arrived
	phase   int          // of the round under way
	wait    map[int]bool // writes not yet acknowledged
	at      Ledger       // to be written in this round
	rounds  int          // finished
	lost    audit.MissedReason
	dead    bool
	nextID  int
	account account
}

const (
	idle      = iota
	rowsOut   // rows and records sent
	ledgerOut // ledger sent
	sure      // ledger acknowledged, coordinator not yet asked
)

// claim: the coordinator gives a source to a new owner. It recovers now or,
// if it is slow, later: perhaps when it has lost the source again.
func (w *world) claim(s *source, slow bool) {
	w.stats["claims"]++
	a := &actor{src: s, name: fmt.Sprint("o", len(w.actors)), k: w.k, digest: w.digest, wait: map[int]bool{}}
	w.actors = append(w.actors, a)
	s.owner = a
	if !slow {
		w.recover(a)
	}
}

func (w *world) recover(a *actor) {
	s := a.src
	s.counted = true
	table := w.readTable(s)
	all := table
	if w.continueAnyBirth {
		table = oneBirth(maps.Clone(all))
	}
	o := Options{Owner: w.key(Key{Owner: a.name}).Owner, Windows: a.k, Digest: a.digest}
	if w.wander {
		o.Start = w.Int64N(30)
	}
	c, found := Recover(o, s.edges(), table)
	c.hot = w.k % 3 // of so few rows most would else stay decoded
	for k := range all {
		c.stored[k] = struct{}{}
	}
	if w.calm(s) {
		switch {
		case found.Damaged != nil:
			w.fail("claim %s: %w", a.name, found.Damaged)
		case found.Reason != "" && len(s.born) > 0:
			w.fail("%s begins a new generation: %s, %+v", a.name, found.Reason, c.led.Missed)
		}
	}
	if found.Fresh {
		w.stats["births"]++
		if found.Reason != "" {
			w.stats["births: "+string(found.Reason)]++
		}
	}
	if len(c.dirty) > 0 {
		w.stats["recovered with rows ahead"]++
	}
	w.say("%s of %v finds %d entries, reads on at %d of %v: generation %d, segment %d, %d rows ahead, %q", a.name, s.TopicID, len(table), c.led.Next, s.edges(),
		c.led.Generation, c.led.Segment, len(c.dirty), found.Reason)
	a.c = c
	w.spoil(a, found)
	for k, e := range table {
		if found.Fresh && found.Reason != audit.MissedTruncated && e.Row != nil && e.Row.Last >= c.led.Start {
			w.fail("%s begins generation %d at %d, and the table has %+v", a.name, c.led.Generation, c.led.Start, k)
		}
	}
}

// step lets an owner, true or former, do one thing.
func (w *world) step(a *actor) {
	if a.dead {
		return
	}
	if a.c == nil {
		if w.IntN(3) == 0 && !a.src.deleted { // else it finds another topic there
			w.recover(a)
		}
		return
	}
	if w.IntN(3) > 0 {
		w.read(a)
	}
	switch a.phase {
	case idle:
		if a.lost != "" && a.c.Idle() && !a.src.deleted && (a == a.src.owner || w.IntN(50) == 0) { // asks the coordinator, as a rule
			w.restart(a)
		}
		if w.IntN(3) == 0 {
			return
		}
		w.flush(a)
		a.phase = rowsOut
		if w.ledgerEarly {
			w.sendLedger(a)
			a.phase = ledgerOut
		}
	case rowsOut:
		if len(a.wait) == 0 {
			w.sendLedger(a)
			a.phase = ledgerOut
		}
	case ledgerOut:
		if len(a.wait) == 0 {
			a.c.Acked(a.at)
			a.phase = sure
			w.say("%s has stored generation %d as of %d", a.name, a.at.Generation, a.at.Next)
		}
	case sure:
		if w.IntN(2) == 0 {
			return
		}
		w.ask(a)
	}
}

// ask asks the coordinator, which ends the round.
func (w *world) ask(a *actor) {
	a.phase = idle
	a.rounds++
	owns := a.src.owner == a
	w.say("%s asks whether it is the owner: %v", a.name, owns)
	if owns && a.c.fresh {
		w.confirmBirth(a.src, &a.c.led)
	}
	if owns || w.evictUnsure && !a.c.fresh {
		w.tombstones(a)
	}
}

func (w *world) confirmBirth(s *source, l *Ledger) {
	b := &birth{start: l.Start, k: l.Windows, digest: l.Digest}
	b.old = s.mixed[l.Generation] || s.deleted && w.byName
	b.afterCut = s.cutAt >= 0 && !b.old
	old := s.born[l.Generation]
	if old != nil && (old.start != b.start || old.k != b.k || old.digest != b.digest) {
		w.fail("generation %d is begun twice: %v; and %v", l.Generation, old, b)
	}
	if old == nil {
		if w.calm(s) && len(s.born) > 0 {
			w.fail("generations %v and %d", slices.Sorted(maps.Keys(s.born)), l.Generation)
		}
		s.begin(l.Generation, b)
	}
}

// read counts some messages, if the log still has the next.
func (w *world) read(a *actor) {
	s := a.src
	if s.deleted {
		if !w.byName {
			return
		}
		s = w.now() // a reader that knows topics by their names only
	}
	log := s.edges()
	switch next := a.c.Next(); {
	case a.lost != "":
		return
	case next < log.Oldest && !w.deafToRetention:
		a.lost = audit.MissedRetention
		return
	case next > log.Newest || a.c.Broken() != nil:
		a.lost = audit.MissedTruncated
		return
	}
	from := a.c.ReadFrom(log.Oldest)
	if w.noCompare {
		from = a.c.Next()
	}
	i, _ := slices.BinarySearchFunc(s.log[:s.end], max(from, log.Oldest), func(e Event, o int64) int { return int(e.Offset - o) })
	for n := w.IntN(12); n > 0 && i < s.end; i++ {
		if !s.gone[s.log[i].Offset] || i == s.end-1 { // compaction spares the end of a log
			w.skipNothing(a, &s.log[i])
			w.add(a, &s.log[i])
			n--
		}
	}
	if i == s.end && w.IntN(2) == 0 {
		a.c.Advance(log.Newest, -1)
	}
	if w.evictEarly {
		d, f := a.c.durable, a.c.fresh
		a.c.durable = a.c.led
		w.tombstones(a)
		a.c.durable, a.c.fresh = d, f
	}
}

// restart goes on after a loss, as package count does.
func (w *world) restart(a *actor) {
	log := a.src.edges()
	start := log.Oldest
	if a.lost == audit.MissedTruncated {
		start = max(log.Oldest, min(a.c.Next(), log.Newest))
	}
	if err := a.c.Restart(start, a.lost); err != nil {
		w.fail("%s: %w", a.name, err)
	}
	w.say("%s begins generation %d at %d of %v: %s", a.name, a.c.led.Generation, a.c.led.Start, log, a.lost)
	a.lost = ""
	w.stats["restarts"]++
}
