// Command truth injects faults into pipelines and knows independently what is true of
// them: it sees whether the judge says just that. It is what `make truth` runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/chaperone-audit/chaperone/internal/figures"
)

func main() {
	seed := flag.Uint64("seed", 1, "first seed")
	faults := flag.Int("faults", 500, "faults to inject, at least")
	only := flag.String("only", "", "faults, nothing or embedded; all if empty")
	role := flag.String("role", "", "a role that every story has")
	topics := flag.Int("topics", 200, "topics of the day")
	hours := flag.Int("hours", 24, "its hours")
	losses := flag.Int("losses", 100, "single messages lost in it, at most: in windows without messages there are none")
	flag.Parse()
	status := 0
	if *only == "" || *only == "faults" {
		if !runFaults(*seed, *faults, *role) {
			status = 1
		}
	}
	if *only == "" || *only == "nothing" {
		t, err := runDay(*seed, *topics, *hours, *losses)
		if err != nil {
			fmt.Fprintln(os.Stderr, "truth:", err)
			status = 1
		}
		for i, text := range t.text {
			if i < 40 {
				fmt.Println(text)
			}
		}
		if !t.print() {
			status = 1
		}
	}
	if *only == "" || *only == "embedded" {
		ok, err := runLive(context.Background(), *seed)
		if err != nil {
			fmt.Fprintln(os.Stderr, "truth:", err)
		}
		if !ok {
			status = 1
		}
	}
	os.Exit(status)
}

func (t *dayTally) print() bool {
	figures.Print("truth-day-windows", fmt.Sprintf("windows with messages; %d records on the audit topic, %d restarts of collecting", t.records, t.restarts), float64(t.windows), figures.Aim{})
	figures.Print("truth-day-losses", "single messages lost", float64(t.losses), figures.Aim{})
	ok := true
	for _, f := range []struct{ kind, name, note string }{
		{falseFinding, "truth-day-false-alarms", "settled windows with findings, and unknown ones, where nothing had happened"},
		{falseComplete, "truth-day-false-complete", "windows called complete that were not"},
		{missedFault, "truth-day-missed", "losses that were not found"},
		{wrongNumber, "truth-day-wrong-numbers", "losses with a wrong number, hop or message"},
		{notSettled, "truth-day-unsettled", "windows and topics that were never settled"},
		{wrongOrder, "truth-day-out-of-order", "verdicts and standings that went back"},
		{overclaims, "truth-day-overclaims", "provisional windows with losses"},
	} {
		figures.Print(f.name, f.note, float64(t.wrong[f.kind]), figures.AtMost(0))
		ok = ok && t.wrong[f.kind] == 0
	}
	if len(t.found) > 0 {
		figures.Print("truth-day-found-within-s", fmt.Sprintf("seconds of log time from the end of grace to the verdict; median %.1f, %s", figures.Median(t.found), figures.Spread(t.found)), slices.Max(t.found), figures.Aim{})
	}
	figures.Print("truth-day-verdicts-per-window", "verdict records for each window with messages", float64(t.verdicts)/float64(max(1, t.windows)), figures.Aim{})
	return ok
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
		{tooSlow, "truth-too-slow", "windows settled more than 30 s after their grace, while everything ran"},
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

// runDay plays a day, a partition of the audit topic at a time on each processor.
func runDay(seed uint64, topics, hours, losses int) (*dayTally, error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	t := &dayTally{wrong: map[string]int{}}
	var failed error
	next := make(chan int32, dayPartitions)
	for p := range int32(dayPartitions) {
		next <- p
	}
	close(next)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for p := range next {
				d := newDay(seed, p, topics, hours, (losses+dayPartitions-1)/dayPartitions)
				err := d.run()
				mu.Lock()
				failed = errors.Join(failed, err)
				t.add(d)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return t, failed
}

type dayTally struct {
	windows, verdicts, unknowns, losses, records, restarts int
	wrong                                                  map[string]int
	found                                                  []float64
	text                                                   []string
}

func (t *dayTally) add(d *day) {
	t.windows += d.windows
	t.verdicts += d.verdicts
	t.unknowns += d.unknowns
	t.losses += d.losses
	t.records += d.records
	t.restarts += d.owners - 1
	t.found = append(t.found, d.found...)
	for _, p := range d.wrong {
		t.wrong[p.kind]++
		t.text = append(t.text, p.kind+": "+p.text)
	}
}
