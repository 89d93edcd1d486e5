package counter

import "testing"

// TestCrashAtEveryPoint takes small logs and ends a session at every point of its
// life, one after the other: with every prefix of its rows in the table and every
// prefix of its records on the audit topic, before and after its ledger, and with
// every prefix of its deletions. What it had under way is lost, or arrives when the
// next owner has recovered, or when that one has finished.
func TestCrashAtEveryPoint(t *testing.T) {
	points := 0
	for _, rest := range []string{"is lost", "arrives after the recovery", "arrives at the end"} {
		for seed := range uint64(12) {
			for point := 0; ; point++ {
				w := newSmallWorld(seed, 9)
				a := w.session()
				if !w.until(a, point) {
					break
				}
				points++
				a.dead = true
				if rest == "is lost" {
					a.out = nil
				}
				w.claim(w.now(), false)
				if rest == "arrives after the recovery" {
					w.landAll(a)
				}
				w.finish()
				if w.err != nil {
					t.Fatalf("seed %d, point %d, the rest %s: %v", seed, point, rest, w.err)
				}
			}
		}
	}
	t.Logf("%d crashes", points)
}

// TestTwoCrashesAtEveryPoint ends the second session at every point, too.
func TestTwoCrashesAtEveryPoint(t *testing.T) {
	runs := 0
	for seed := range uint64(4) {
		for first := 0; ; first++ {
			w := newSmallWorld(seed, 5)
			if !w.until(w.session(), first) {
				break
			}
			for second := 0; ; second++ {
				w := newSmallWorld(seed, 5)
				a := w.session()
				w.until(a, first)
				a.dead, a.out = true, nil
				b := w.session()
				if !w.until(b, second) {
					break
				}
				runs++
				b.dead, b.out = true, nil
				w.claim(w.now(), false)
				w.finish()
				if w.err != nil {
					t.Fatalf("seed %d, points %d and %d: %v", seed, first, second, w.err)
				}
			}
		}
	}
	t.Logf("%d pairs of crashes", runs)
}

// newSmallWorld has a log of n messages, all of them visible.
func newSmallWorld(seed uint64, n int) *world {
	w := newWorld(seed, kind{hostile: seed%2 == 1}, mistake{})
	w.sources = nil
	s := newSource(0, false)
	w.sources = append(w.sources, s)
	s.grow(w.Rand, &w.shape, 0, n)
	s.show(w.Rand, n)
	w.k = 1 + int(seed%3)
	return w
}

func (w *world) session() *actor {
	w.claim(w.now(), false)
	return w.now().owner
}

// until lets a session count, three messages a round, until it crashes at a point
// of its life. It says whether it lived so long; if not, it has counted everything.
func (w *world) until(a *actor, point int) bool {
	log := a.src.log
	for w.err == nil {
		n := 0
		for i := range log {
			if o := log[i].Offset; o >= a.c.ReadFrom(0) && n < 3 {
				w.add(a, &log[i])
				n++
			}
		}
		w.flush(a)
		if w.crash(a, &point) {
			return true
		}
		w.sendLedger(a)
		if w.crash(a, &point) {
			return true
		}
		a.c.Acked(a.at)
		w.ask(a)
		if w.crash(a, &point) {
			return true
		}
		if a.c.Idle() && a.c.Next() > log[len(log)-1].Offset {
			return false
		}
	}
	return false
}

// crash lets what is under way arrive, or, if the point is among its prefixes,
// that prefix: i of what goes to the table, j of the rest.
func (w *world) crash(a *actor, point *int) bool {
	table := 0
	for _, wr := range a.out {
		if wr.to == toTable {
			table++
		}
	}
	others := len(a.out) - table
	prefixes := (table + 1) * (others + 1)
	if *point >= prefixes {
		*point -= prefixes
		w.landAll(a)
		return false
	}
	i, j := *point/(others+1), *point%(others+1)
	for at := 0; at < len(a.out); {
		n := &j
		if a.out[at].to == toTable {
			n = &i
		}
		if *n == 0 {
			at++
			continue
		}
		*n--
		w.arrive(a, at)
	}
	return true
}

func (w *world) landAll(a *actor) {
	for len(a.out) > 0 {
		w.arrive(a, 0)
	}
}
