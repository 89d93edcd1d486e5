package counter

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// kind is what may happen beside plain growth, kills, and zombies.
type kind struct {
	retention   bool // overtakes owners
	reconfigure bool // owners get another codec or another number of windows per segment
	wander      bool // owners do not agree on where a source never seen begins
	vanish      bool // the source is a compacted topic
	truncate    bool // the log is cut, once, and grows again
	hostile     bool // event times make a window of each message, or lie at the ends of time
	crashLoop   bool // many sessions die within their first flush
	recreate    bool // the topic is deleted and made again, with another id
	anything    bool // any of these but vanish
}

type world struct {
	kind
	mistake
	*rand.Rand
	shape    shape
	byName   bool    // readers know topics by name only: old ones go on in the log of the new one
	looping  int     // sessions still to die within their first flush
	restless int     // of a hundred things that happen so many are the end of an ownership
	zombies  float64 // how many of the owners that go live on
	haunted  float64 // how much of what happens is done by former owners

	sources []*source // the last is the topic as it is now
	k       int       // configuration of owners that come
	digest  string
	table   []tableRec
	stored  map[string]int64 // the highest version that a row of the table has had
	audit   []auditRec
	actors  []*actor

	err   error
	stats tally
	story *[]string // told if not nil
}

// say tells what happens, for people who look for a cause.
func (w *world) say(f string, a ...any) {
	if w.story != nil {
		*w.story = append(*w.story, fmt.Sprintf(f, a...))
	}
}

func (w *world) fail(f string, a ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(f, a...)
	}
}

func (w *world) now() *source { return w.sources[len(w.sources)-1] }

// calm says that one generation must be enough.
func (w *world) calm(s *source) bool { return s.befell == 0 && !w.wander }

func newWorld(seed uint64, k kind, m mistake) *world {
	w := &world{kind: k, mistake: m, Rand: rand.New(rand.NewPCG(seed, 7)), stats: tally{}, stored: map[string]int64{}, digest: "codec 0"}
	if w.anything {
		for _, f := range []*bool{&w.retention, &w.reconfigure, &w.wander, &w.truncate, &w.hostile, &w.crashLoop, &w.recreate} {
			*f = w.IntN(2) == 0
		}
	}
	w.k = 1 + w.IntN(5)
	w.shape = shape{gaps: !w.truncate, spread: []int64{1, 2, 4, 20}[w.IntN(4)], stride: 1 + w.Int64N(8)}
	if w.hostile {
		w.shape.hostile = 1 + w.IntN(ways)
	}
	w.byName = w.recreate && w.IntN(3) == 0
	if !w.vanish { // two readers of a compacted log may see two logs
		w.zombies = w.Float64()
	}
	w.restless = 1 + w.IntN(8)
	w.haunted = 0.1 + 0.7*w.Float64()
	w.found()
	return w
}

// found makes the topic, or makes it again.
func (w *world) found() {
	s := newSource(len(w.sources), w.withoutID)
	w.sources = append(w.sources, s)
	n := 5 + w.IntN(200)
	s.grow(w.Rand, &w.shape, int64(w.IntN(3)), n)
	s.show(w.Rand, w.IntN(n+1))
}

func simulate(seed uint64, k kind, m mistake) *world {
	w := newWorld(seed, k, m)
	w.run()
	return w
}

func (w *world) run() {
	for steps := 60 + 3*len(w.now().log); steps > 0 && w.err == nil; steps-- {
		w.schedule(&steps)
	}
	if w.err == nil {
		w.finish()
	}
}

// schedule lets one thing happen.
func (w *world) schedule(steps *int) {
	s := w.now()
	if s.owner == nil {
		switch { // nobody sees it happen
		case w.vanish && w.IntN(2) == 0:
			w.compactSource(s, 30)
		case w.truncate && s.cutAt < 0 && s.end > 0 && w.IntN(20) == 0:
			w.cut(s)
		}
		w.claim(s, w.IntN(3) == 0 && !w.vanish)
		return
	}
	if a := s.owner; w.looping > 0 && a.rounds == 0 && a.phase != idle && w.IntN(3) == 0 {
		w.looping--
		*steps += 10
		w.die(a)
		return
	}
	if w.IntN(100) < w.restless {
		if w.Float64() < w.zombies {
			w.say("%s is taken for dead", s.owner.name)
			s.owner = nil // it goes on as a zombie
		} else {
			w.die(s.owner)
		}
		return
	}
	switch r := w.IntN(97); {
	case r < 1:
		w.compactSome(false)
	case r < 8:
		s.show(w.Rand, w.IntN(30))
	case r < 13:
		w.befall(s, r-8)
	default:
		a := s.owner
		if w.Float64() < w.haunted {
			a = w.actors[w.IntN(len(w.actors))]
			if w.IntN(2) == 0 { // the last ones are closest to the owner
				a = w.actors[max(0, len(w.actors)-2-w.IntN(2))]
			}
			if a != a.src.owner && w.IntN(40) == 0 && !a.dead {
				w.die(a)
			}
		}
		w.step(a)
		for range w.IntN(8) {
			w.land(w.actors[w.IntN(len(w.actors))])
			w.land(a)
		}
	}
}

// befall lets something happen to the source.
func (w *world) befall(s *source, r int) {
	switch {
	case s.end == 0:
	case !s.counted: // retention before the first count
		s.oldest = max(s.oldest, s.log[w.IntN(s.end)].Offset)
	case r == 0 && w.retention && w.IntN(3) == 0:
		s.oldest = max(s.oldest, s.log[w.IntN(s.end)].Offset)
		w.stats["retention"]++
		w.say("retention has taken what is before %d", s.oldest)
		s.befell++
	case r == 1 && w.reconfigure && w.IntN(3) == 0:
		w.digest = fmt.Sprint("codec ", w.stats["reconfigured"]%3+1)
		w.k = 1 + w.IntN(5)
		w.stats["reconfigured"]++
		w.say("new configuration: %s, %d windows per segment", w.digest, w.k)
		s.befell++
	case r == 2 && w.vanish:
		w.compactSource(s, s.end)
	case r == 2 && w.crashLoop && w.looping == 0 && w.IntN(5) == 0:
		w.looping = 3 + w.IntN(30)
		w.stats["crash loops"]++
	case r == 3 && w.truncate && s.cutAt < 0 && w.IntN(5) == 0:
		w.cut(s)
	case r == 4 && w.recreate && len(w.sources) < 3 && w.IntN(10) == 0:
		w.recreateTopic(s)
	}
}

// compactSource lets some of the last n messages vanish.
func (w *world) compactSource(s *source, n int) {
	if n = min(n, s.end); n > 0 {
		for range 5 {
			s.gone[s.log[s.end-1-w.IntN(n)].Offset] = true
		}
	}
}

// cut cuts the log.
func (w *world) cut(s *source) {
	table := w.readTable(s)
	if !s.cut(w.Rand, &w.shape) {
		return
	}
	s.doomed = w.doomed(s, table)
	s.befell++
	w.stats["cuts"]++
	w.say("the log is cut at %d and has grown to %d; before, generations had counted %v", s.cutAt, s.newest, s.reached)
}

// doomed is what in the table had counted what has been cut, so that somebody
// must notice: the owner's ledger, for the owner may delete a former owner's
// before anybody reads it; or, if nobody is alive who could go on in the old log,
// rows ahead of the ledger. Last is the message that tells. A former owner that has
// not come as far as the cut notices nothing, and its ledger may overtake.
func (w *world) doomed(s *source, table map[Key]Entry) *Ledger {
	var found *Ledger
	for k, e := range table {
		if l := e.Ledger; l != nil && s.owner != nil && k.Owner == s.owner.name && l.Last >= s.cutAt && (found == nil || l.Beats(found, 0)) {
			found = l
		}
	}
	alive := func(a *actor) bool { return a.src == s && (!a.dead && a.c != nil || len(a.out) > 0) }
	behind := func(a *actor) bool { return a != s.owner && alive(a) && a.c.led.Next <= s.cutAt }
	switch {
	case slices.ContainsFunc(w.actors, behind):
		return nil
	case found != nil || slices.ContainsFunc(w.actors, alive):
		return found
	}
	best := newest(table)
	for k, e := range table {
		if e.Row != nil && best != nil && k.Generation == best.Generation && e.Row.Last >= s.cutAt {
			l := *best
			l.Last = e.Row.Last
			found = &l
		}
	}
	return found
}

// recreateTopic ends a source. Its owner goes on to store what it has counted;
// the topic made again has an owner of its own, if only in the simulation.
func (w *world) recreateTopic(s *source) {
	s.deleted = true
	if w.byName {
		for _, b := range s.born {
			b.old = true
		}
	}
	w.stats["made again"]++
	w.say("the topic is deleted and made again")
	w.found()
}
