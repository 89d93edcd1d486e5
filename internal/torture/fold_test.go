package torture

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

// someLog is a log with gaps, whose messages scatter over windows.
func someLog(rng *rand.Rand, n int) (log []message) {
	offset := rng.Int64N(3)
	for range n {
		log = append(log, message{offset: offset, window: 10 * rng.Int64N(6), time: 1000 * offset,
			Event: audit.Event{Bytes: rng.IntN(100), Hash: rng.Uint64(), Moment: rng.Uint64(), Latency: rng.Int64N(5000) - 100}})
		offset += 1 + rng.Int64N(3)
	}
	return log
}

// statementsOf says what a counter that begins at start would say, at every message.
func statementsOf(log []message, start int64) (list []statement) {
	walk(log, start, windowsPerSegment, func(segment int64, m *message, r *row) {
		tally := r.Tally.Clone()
		list = append(list, statement{start: start, segment: segment, window: m.window, version: m.offset, first: r.First, partial: r.partial, tally: &tally})
	})
	return list
}

func TestLawAcceptsWhatTheLogSays(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 0))
		log := someLog(rng, 100)
		list := append(statementsOf(log, 0), statementsOf(log, log[40].offset)...)
		rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		list = append(list, list[:30]...) // said twice
		if wrong := law(audit.Source{}, [][]message{log}, list, windowsPerSegment); len(wrong) > 0 {
			t.Fatalf("seed %d: %s", seed, wrong[0])
		}
	}
}

func TestLawRejectsEveryOtherContent(t *testing.T) {
	for name, spoil := range map[string]func(*statement){
		"a message more":        func(s *statement) { s.tally.Add(&audit.Event{Bytes: 1, Hash: 1}) },
		"other bytes":           func(s *statement) { s.tally.Bytes++ },
		"another message":       func(s *statement) { s.tally.Fingerprint++ },
		"another latency":       func(s *statement) { s.tally.Latency.Max++ },
		"a first offset":        func(s *statement) { s.first-- },
		"partial":               func(s *statement) { s.partial = !s.partial },
		"another window":        func(s *statement) { s.window += 1000 },
		"another segment":       func(s *statement) { s.segment++ },
		"a version in a gap":    func(s *statement) { s.version = 1 << 40 },
		"a generation's start":  func(s *statement) { s.start = s.version },
		"no-time for timed":     func(s *statement) { s.tally.NoTime++ },
		"one power sum":         func(s *statement) { s.tally.PowerSums[6]++ },
		"one sum of moments":    func(s *statement) { s.tally.Moments[6]++ },
		"a latency bin":         func(s *statement) { s.tally.Latency.Bins.Put(7, 1) },
		"a message out of time": func(s *statement) { s.tally.OutOfBounds++ },
	} {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 1))
			log := someLog(rng, 60)
			list := statementsOf(log, 0)
			spoil(&list[30])
			if wrong := law(audit.Source{}, [][]message{log}, list, windowsPerSegment); len(wrong) == 0 {
				t.Error("nobody objects")
			}
		})
	}
}

// A log is cut, and grows again with other messages. Who was told begins anew where
// it was cut; who was not, and goes on, has counted a log that never was.
func TestLawKnowsWhatACutLogWas(t *testing.T) {
	for seed := range uint64(50) {
		rng := rand.New(rand.NewPCG(seed, 2))
		before := someLog(rng, 80)
		cut := 30 + rng.IntN(40)
		after := slices.Clone(before[:cut])
		for _, m := range someLog(rng, 60) {
			m.offset += before[cut].offset
			after = append(after, m)
		}
		told := statementsOf(before[:cut+5], 0)
		for _, s := range statementsOf(after, before[cut].offset) {
			s.generation = 1
			told = append(told, s)
		}
		if wrong := law(audit.Source{}, [][]message{after, before}, told, windowsPerSegment); len(wrong) > 0 {
			t.Fatalf("seed %d: %s", seed, wrong[0])
		}
		mixed := slices.Clone(before[:cut+5])
		for _, m := range after[cut:] {
			if m.offset > mixed[cut+4].offset {
				mixed = append(mixed, m)
			}
		}
		if wrong := law(audit.Source{}, [][]message{after, before}, statementsOf(mixed, 0), windowsPerSegment); len(wrong) == 0 {
			t.Fatalf("seed %d: nobody objects to a count over the cut", seed)
		}
	}
}

func TestComparisonSeesEveryField(t *testing.T) {
	cellA := cell{"home", "orders", 0, 100}
	truth := func() *count {
		c := newCount()
		for i := range int64(5) {
			c.add(&message{offset: i, Event: audit.Event{Bytes: 10, Hash: uint64(i) * 77777777777, Latency: 5 * i}})
		}
		return c
	}
	want := map[cell]*expectation{cellA: {truth(), truth()}}
	if wrong := compare(reader{name: "x"}, counts{cellA: truth()}, want); len(wrong) > 0 {
		t.Fatalf("the truth is wrong: %s", &wrong[0])
	}
	for name, spoil := range map[string]func(*count){
		"count": func(c *count) { c.Count++ }, "bytes": func(c *count) { c.Bytes-- }, "no time": func(c *count) { c.NoTime++ },
		"malformed": func(c *count) { c.Malformed++ }, "bounds": func(c *count) { c.OutOfBounds++ }, "fingerprint": func(c *count) { c.Fingerprint++ },
		"power sums": func(c *count) { c.PowerSums[0]++ }, "moments": func(c *count) { c.Moments[0]++ }, "latency": func(c *count) { c.Latency.Max++ }, "first": func(c *count) { c.First++ }, "last": func(c *count) { c.Last++ },
	} {
		got := truth()
		spoil(got)
		for _, less := range []bool{false, true} {
			if wrong := compare(reader{name: "x", less: less}, counts{cellA: got}, want); len(wrong) != 1 {
				t.Errorf("%s (less: %t): nobody objects", name, less)
			}
		}
	}
	if wrong := compare(reader{name: "x"}, counts{}, want); len(wrong) != 1 {
		t.Error("a window that is not there: nobody objects")
	}
	extra := counts{cellA: truth(), cell{"home", "orders", 1, 100}: truth()}
	if wrong := compare(reader{name: "x"}, extra, want); len(wrong) != 1 || !strings.Contains(wrong[0].String(), "nothing is in it") {
		t.Errorf("a window where nothing is: %v", wrong)
	}
}

func TestBoundsAreKeptWhereMessagesMayBeMissed(t *testing.T) {
	c := cell{"home", "dropped", 0, 100}
	least, most := newCount(), newCount()
	for i := range int64(10) {
		m := &message{offset: i, Event: audit.Event{Bytes: 10, Hash: uint64(i)}}
		if i >= 4 {
			least.add(m)
		}
		most.add(m)
	}
	want := map[cell]*expectation{c: {least, most}}
	for n, ok := range map[uint64]bool{5: false, 6: true, 8: true, 10: true, 11: false} {
		got := &count{Tally: audit.Tally{Count: n, Bytes: 10 * n}}
		if wrong := compare(reader{}, counts{c: got}, want); (len(wrong) == 0) != ok {
			t.Errorf("%d of 6 to 10 messages: wrong %v", n, wrong)
		}
	}
}
