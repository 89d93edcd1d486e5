package scenario

import (
	"flag"
	"fmt"
	"testing"
)

var (
	seeds = flag.Uint64("seeds", 4, "variations of each scenario and property")
	first = flag.Uint64("seed", 1, "the first of them")
)

// TestProperties plays each scenario many times while things happen differently
// that must not matter, one by one and all together. Wherever the scenario comes
// to rest, and at its end, the same is known.
func TestProperties(t *testing.T) {
	each(t, func(t *testing.T, _ string, s *Script) {
		t.Parallel()
		seeds := *seeds
		if raced {
			seeds = 1
		}
		plain, err := s.play(nil, mistake{})
		if err != nil {
			t.Fatal(err)
		}
		if err := plain.agree(plain); err != nil {
			t.Fatal(err)
		}
		var together []Property
		for _, p := range Properties {
			if _, excepted := s.Excepted(p); excepted {
				continue
			}
			together = append(together, p)
			if err := s.holds(plain, mistake{}, seeds, p); err != nil {
				t.Error(err)
			}
		}
		if err := s.holds(plain, mistake{}, seeds, together...); err != nil {
			t.Error(err)
		}
		for _, p := range Properties { // an exception that is not needed hides something
			reason, excepted := s.Excepted(p)
			if excepted && s.holds(plain, mistake{}, max(seeds, 300), append([]Property{p}, together...)...) == nil {
				t.Errorf("%s makes no difference, and the scenario excepts it: %q", p, reason)
			}
		}
	})
}

// holds plays variations, and compares what is known with what was known before.
func (s *Script) holds(plain *outcome, m mistake, seeds uint64, properties ...Property) error {
	for seed := *first; seed < *first+seeds; seed++ {
		o, err := s.play(vary(seed, properties...), m)
		if err == nil {
			err = o.agree(plain)
		}
		if err != nil {
			return fmt.Errorf("%s, -seed %d -seeds 1: %w", join(properties), seed, err)
		}
	}
	return nil
}

// agree compares two outcomes of a scenario where both came to rest, and in each
// of them what the table says with what all the records say.
func (o *outcome) agree(other *outcome) error {
	rests, others := append(o.rests, o.end), append(other.rests, other.end)
	for i, r := range rests {
		where := fmt.Sprintf("at output %d", i+1)
		if i == len(o.rests) {
			where = "at the end"
		}
		if r == nil || others[i] == nil {
			continue
		}
		if r.history != "" && r.history != r.known {
			return fmt.Errorf("%s: the table does not say what the records do: %s", where, firstDifference(r.history, r.known))
		}
		if r.known != others[i].known {
			return fmt.Errorf("%s: %s", where, firstDifference(others[i].known, r.known))
		}
		if r.verdicts != others[i].verdicts {
			return fmt.Errorf("%s: %s", where, firstDifference(others[i].verdicts, r.verdicts))
		}
	}
	return nil
}

// TestASeedIsOneRun: else a seed that is printed would be of no use.
func TestASeedIsOneRun(t *testing.T) {
	each(t, func(t *testing.T, _ string, s *Script) {
		t.Parallel()
		a, errA := s.play(vary(7, Properties...), mistake{})
		b, errB := s.play(vary(7, Properties...), mistake{})
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.end.known != b.end.known || a.records != b.records {
			t.Errorf("the same seed, and %d and %d records; %s", a.records, b.records, firstDifference(a.end.known, b.end.known))
		}
	})
}

// TestMistakesAreNoticed: properties that cannot fail prove nothing.
func TestMistakesAreNoticed(t *testing.T) {
	for _, c := range []struct {
		name string
		mistake
		by Property
	}{
		{"ledgers before their rows", mistake{ledgersEarly: true}, Crash},
		{"the record that came last is believed", mistake{lastWins: true}, Reorder},
		{"the position is committed before what was read is stored", mistake{commitEarly: true}, Recollect},
		{"messages without a time are counted by the clock", mistake{byClock: true}, Split},
		{"the place of a message is part of its fingerprint", mistake{byOffset: true}, Repartition},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse("mistakes", `
				tier edge
				produce orders n=60 at=10:00..10:20 untimed=6
				count n=10
				flush
				advance 10m
				produce orders n=60 at=10:10..10:30 untimed=6
				advance 10m`)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.sound(mistake{}, c.by); err != nil {
				t.Fatalf("without the mistake: %v", err)
			}
			err = s.sound(c.mistake, c.by)
			if err == nil {
				t.Errorf("not noticed by %s", c.by)
			}
			t.Log(err)
		})
	}
}

func (s *Script) sound(m mistake, p Property) error {
	plain, err := s.play(nil, m)
	if err != nil {
		return err
	}
	return s.holds(plain, m, 40, p)
}
