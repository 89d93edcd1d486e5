package collect

import (
	"flag"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

var histories = flag.Uint64("histories", 50, "histories of the property tests of the books to run, from -seed on")

// Whatever restarts, repeats, comes late, expires or breaks in the log: no alarm.
func TestBooksOfSoundHistoriesBalance(t *testing.T) {
	for name, breaks := range map[string]bool{"with dying owners and zombies": false, "with logs that break": true} {
		t.Run(name, func(t *testing.T) {
			checked := 0
			for seed := *firstSeed; seed < *firstSeed+*histories; seed++ {
				w := newBookWorld(seed, breaks)
				w.run(300)
				w.settle()
				if len(w.found) > 0 {
					t.Fatalf("-seed %d: a false alarm: %+v", seed, w.found[0])
				}
				if a := w.m.books.sources[bookSource]; !w.known() && w.owners[len(w.owners)-1].c.Durable().Total > 0 && a.mark <= w.end { // else the log was cut unseen
					t.Fatalf("-seed %d: in the end the sum is not known: %+v", seed, a)
				}
				checked += w.checked
			}
			if checked < int(*histories) {
				t.Errorf("progress was compared only %d times: this proves nothing", checked)
			}
			t.Logf("progress was compared %d times", checked)
		})
	}
}

// A fault of the last flush of a history that was sound until then.
type fault struct {
	want ImbalanceKind
	// do may change the records of the flush, which come one per row, or drop some.
	do func(w *bookWorld, records []*audit.Record) []*audit.Record
}

var faults = map[string]fault{
	"a record is lost": {Deficit, func(w *bookWorld, r []*audit.Record) []*audit.Record {
		i := w.IntN(len(r))
		return append(r[:i:i], r[i+1:]...)
	}},
	"a message is missing in a record": {Deficit, func(w *bookWorld, r []*audit.Record) []*audit.Record {
		r[w.IntN(len(r))].Tally.Tally = audit.Tally{} // all of them
		return r
	}},
	"a message is counted twice": {Surplus, func(w *bookWorld, r []*audit.Record) []*audit.Record {
		r[w.IntN(len(r))].Tally.Add(&audit.Event{Hash: 7, Latency: 5})
		return r
	}},
	"a version is used twice": {Law, func(w *bookWorld, r []*audit.Record) []*audit.Record {
		again := *r[w.IntN(len(r))]
		tally := *again.Tally
		tally.Tally = tally.Tally.Clone()
		tally.Fingerprint++
		again.Tally = &tally
		return append(r, &again)
	}},
	"a segment begins within another": {Overlap, func(w *bookWorld, r []*audit.Record) []*audit.Record {
		again := *r[len(r)-1]
		again.Segment++
		return append(r, &again)
	}},
	"a generation is begun twice": {Law, func(w *bookWorld, r []*audit.Record) []*audit.Record {
		again := *r[w.IntN(len(r))]
		tally := *again.Tally
		tally.GenerationStart++
		again.Tally = &tally
		again.Version--
		return append(r, &again)
	}},
	"a former owner goes on in a generation that has ended": {Overlap, func(w *bookWorld, r []*audit.Record) []*audit.Record {
		w.record(&audit.Record{Kind: audit.KindMissed, Identity: bookIdentity(r[0].Generation+1, 0), Missed: &audit.Missed{Reason: audit.MissedConfig}})
		again := *r[len(r)-1]
		tally := *again.Tally
		tally.GenerationStart, tally.First = again.Version, again.Version
		again.Generation++
		again.Tally = &tally
		return append(r, &again)
	}},
}

func TestBooksNoticeEachFault(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			done := 0
			for seed := *firstSeed; seed < *firstSeed+*histories/2; seed++ {
				w := newBookWorld(seed, seed%2 == 0)
				w.run(100)
				w.settle()
				if len(w.found) > 0 {
					t.Fatalf("-seed %d: a false alarm before the fault: %+v", seed, w.found[0])
				}
				if !w.known() {
					continue // nothing has been counted
				}
				for _, r := range f.do(w, w.lastFlush()) {
					w.record(r)
				}
				w.settle()
				if !slices.ContainsFunc(w.found, func(i Imbalance) bool { return i.Kind == f.want && i.Source == bookSource }) {
					t.Fatalf("-seed %d: no %s is found, but %+v", seed, f.want, w.found)
				}
				done++
			}
			if done < int(*histories)/4 {
				t.Errorf("only %d of %d histories could have the fault", done, *histories/2)
			}
		})
	}
}

// A topic moved to another tier by configuration, and perhaps back: its records
// under each name lack what was counted under the other, and no sum can be made.
func TestBooksOfARenamedSourceAreLeftOpen(t *testing.T) {
	w := newBookWorld(1, false)
	w.run(100)
	w.settle()
	if !w.known() {
		t.Fatal("the sum is not known")
	}
	for _, r := range w.lastFlush() {
		r.Tier = "renamed"
		w.record(r)
	}
	w.settle()
	if len(w.found) > 0 || w.known() {
		t.Errorf("found %+v, and the sum is known: %t", w.found, w.known())
	}
}

func TestBooksForgetWhatIsNotHeardOf(t *testing.T) {
	w := newBookWorld(1, false)
	w.run(100)
	w.settle()
	w.clock += 3 * w.horizon.Milliseconds()
	r := windowRecord("x", 9, w.clock/600_000*600, 1)
	w.record(r)
	w.apply(1)
	if n := len(w.m.books.sources); n != 1 || w.m.books.sources[bookSource] != nil || w.m.Followed() != 0 {
		t.Errorf("%d sources, %d followed, want the one that was heard of", n, w.m.Followed())
	}
}

func TestAnImbalanceSaysWhereAndWhatToDo(t *testing.T) {
	w := newBookWorld(3, false)
	w.run(100)
	w.settle()
	for _, r := range w.lastFlush()[1:] {
		w.record(r)
	}
	w.settle()
	if len(w.found) != 1 {
		t.Fatalf("found %+v", w.found)
	}
	text := w.found[0].String()
	for _, part := range []string{"c:orders/2: generation 0: progress says", "missing, between offsets", "its windows read too low", "report a bug"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

// Of a compacted topic a former owner may have counted messages that its
// successor, whose table lacks the row, does not find any more.
func TestBooksOfACompactedTopicAreLeftOpen(t *testing.T) {
	for _, compacted := range []bool{false, true} {
		w := newBookWorld(1, false)
		w.run(100)
		w.settle()
		w.compacted = compacted
		w.settle()
		w.found = nil
		records := w.lastFlush()
		for _, r := range records {
			w.record(r)
		}
		again := *records[0]
		tally := *again.Tally
		tally.Bytes++
		again.Tally = &tally
		w.record(&again)
		w.settle()
		if compacted != (len(w.found) == 0) || compacted == w.known() {
			t.Errorf("compacted %t: found %+v, and the sum is known: %t", compacted, w.found, w.known())
		}
	}
}
