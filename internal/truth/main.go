// Command truth injects faults into pipelines and knows independently what is true of
// them: it sees whether the judge says just that. It is what `make truth` runs.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/chaperone-audit/chaperone/internal/figures"
)

func main() {
	seed := flag.Uint64("seed", 1, "first seed")
	faults := flag.Int("faults", 500, "faults to inject, at least")
	only := flag.String("only", "", "faults, nothing or embedded; all if empty")
	role := flag.String("role", "", "a role that every story has")
	flag.Parse()
	status := 0
	if *only == "" || *only == "faults" {
		if !runFaults(*seed, *faults, *role) {
			status = 1
		}
	}
	os.Exit(status)
}

// runFaults plays stories until there have been so many faults.
func runFaults(seed uint64, faults int, role string) bool {
	var t tally
	for ; t.faults < faults; seed++ {
		s, err := tellStory(seed, role)
		if err != nil {
			fmt.Fprintln(os.Stderr, "truth:", err)
			return false
		}
		t.add(s)
		for _, p := range s.wrong {
			fmt.Printf("%s: %s\n", p.kind, p.text)
		}
	}
	return t.print()
}

// tellStory plays the story of a seed.
func tellStory(seed uint64, role string) (*story, error) {
	s, err := newStory(seed)
	if err != nil {
		return nil, err
	}
	roles := s.roles()
	if role != "" {
		roles = append(roles, role)
	}
	if err := s.plan(roles); err != nil {
		return nil, err
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	s.checkAll()
	return s, nil
}

// tally is what stories have shown, together.
type tally struct {
	stories, faults, windows, verdicts int
	kinds                              map[string]int
	wrong                              map[string]int
	found                              []float64
	claims                             int
}

func (t *tally) add(s *story) {
	if t.kinds == nil {
		t.kinds, t.wrong = map[string]int{}, map[string]int{}
	}
	t.stories++
	t.windows += s.windows
	t.verdicts += s.verdicts
	t.claims += s.claims
	t.found = append(t.found, s.found...)
	for k, n := range s.injected {
		t.kinds[k] += n
		t.faults += n
	}
	for _, p := range s.wrong {
		t.wrong[p.kind]++
	}
}

func (t *tally) print() bool {
	for _, k := range slices.Sorted(maps.Keys(t.kinds)) {
		fmt.Printf("# injected: %s %d\n", k, t.kinds[k])
	}
	figures.Print("truth-faults-injected", fmt.Sprintf("faults in %d stories, %d windows", t.stories, t.windows), float64(t.faults), figures.Aim{})
	ok := true
	for _, f := range []struct{ kind, name, note string }{
		{missedFault, "truth-faults-missed", "faults that were not found"},
		{falseFinding, "truth-false-findings", "findings of what was not injected"},
		{falseComplete, "truth-false-complete", "windows called complete that were not"},
		{wrongNumber, "truth-wrong-numbers", "findings with a wrong number"},
		{wrongName, "truth-wrong-names", "findings with wrong messages, partitions or reasons"},
		{notSettled, "truth-unsettled", "windows that were never settled"},
		{wrongOrder, "truth-out-of-order", "verdicts that came too early, or went back"},
		{overclaims, "truth-overclaims", "stories in which provisional windows claimed more than was so"},
	} {
		figures.Print(f.name, f.note, float64(t.wrong[f.kind]), figures.AtMost(0))
		ok = ok && t.wrong[f.kind] == 0
	}
	if len(t.found) > 0 {
		figures.Print("truth-found-within-s", fmt.Sprintf("seconds of log time from the end of grace to the verdict; median %.1f, %s", figures.Median(t.found), figures.Spread(t.found)), slices.Max(t.found), figures.AtMost(15))
	}
	figures.Print("truth-verdicts-per-window", "verdict records", float64(t.verdicts)/float64(max(1, t.windows)), figures.Aim{})
	return ok
}
