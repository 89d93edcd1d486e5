package main

import (
	"flag"
	"testing"
)

var first = flag.Uint64("seed", 1, "the first story")

// TestFaultsAreFound tells a few stories: `make truth` tells more.
func TestFaultsAreFound(t *testing.T) {
	faults := 60
	if testing.Short() || raced {
		faults = 15
	}
	var all tally
	for seed := *first; all.faults < faults; seed++ {
		s, err := tellStory(seed, "")
		if err != nil {
			t.Fatal(err)
		}
		all.add(s)
		for _, p := range s.wrong {
			t.Errorf("%s: %s", p.kind, p.text)
		}
	}
	t.Logf("%d faults in %d stories, %d windows: %v", all.faults, all.stories, all.windows, all.kinds)
}

func TestNothingIsFoundWhereNothingHappens(t *testing.T) {
	topics, losses := 20, 16
	if raced {
		topics, losses = 8, 80
	}
	all, err := runDay(*first, topics, 1, losses)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range all.text {
		t.Error(text)
	}
	if all.windows == 0 || all.losses == 0 {
		t.Errorf("%d windows, %d losses: that shows nothing", all.windows, all.losses)
	}
	t.Logf("%d windows, %d losses, %d records, %d verdicts", all.windows, all.losses, all.records, all.verdicts)
}
