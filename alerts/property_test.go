package alerts_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A restart at any moment, a step that is made twice and a delivery that fails change
// neither which alerts there are nor that each is told of: what was told under an ID is
// told by all.
func TestRestartsAndRepeatsLoseNothing(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			calm := newStory(t)
			calm.c.Rules = alerts.DefaultRules()
			calm.c.Classes = []alerts.Class{{Name: alerts.Critical, Topics: []string{"t[0-4]"}}}
			torn := newStory(t)
			torn.c = calm.c
			r := rand.New(rand.NewPCG(seed, 1))
			for range 120 {
				judged := randomVerdicts(r)
				for _, s := range []*story{calm, torn} {
					s.now = s.now.Add(time.Minute)
					for _, words := range judged {
						s.verdict(words)
					}
				}
				calm.step()
				torn.tornStep(r)
			}
			for _, s := range []*story{calm, torn} { // what is not settled is never old
				maps.DeleteFunc(s.verdicts, func(_ string, v *compare.Verdict) bool { return !v.State.Settled() })
			}
			for range 60 { // until all is over, and delivered
				for _, s := range []*story{calm, torn} {
					s.now = s.now.Add(10 * time.Minute)
				}
				calm.step()
				torn.tornStep(r)
			}
			torn.step()
			if a, b := slices.Sorted(maps.Keys(calm.said)), slices.Sorted(maps.Keys(torn.said)); !slices.Equal(a, b) {
				t.Errorf("alerts differ:\n%q\n%q", a, b)
			}
			if len(calm.said) == 0 || len(calm.told) == 0 {
				t.Error("nothing was found: the test tests nothing")
			}
			// What waits is replaced by what is newer, so that not every ID is told; but each
			// alert that calm was told of is, and so is its end.
			for id := range calm.events {
				if !torn.events[id] {
					t.Errorf("nobody was told of %s", id)
				}
			}
			for _, e := range torn.st.Entries {
				if len(e.Waiting) > 0 || e.Alert.State == query.Firing {
					t.Errorf("%s still %s, and %d wait", e.Alert.Key, e.Alert.State, len(e.Waiting))
				}
			}
		})
	}
}

// tornStep is a step of one who may die before it has stored, before it has delivered,
// and before it has stored that it has, and whose receiver may be away.
func (s *story) tornStep(r *rand.Rand) {
	if s.rules == nil {
		s.step()
		return
	}
	next, _ := s.rules.Step(s.st, s.snapshot(), s.now)
	if r.IntN(4) == 0 { // dies before it has stored; another one does the same
		next, _ = s.rules.Step(s.reload(s.st), s.snapshot(), s.now)
	}
	s.say(next)
	if r.IntN(4) == 0 { // dies before it has delivered
		s.st = s.reload(next)
		return
	}
	if r.IntN(3) == 0 { // the receiver is away
		s.st = next
		return
	}
	ids := s.deliver(next)
	if r.IntN(4) == 0 { // dies before it has said so
		s.st = s.reload(next)
		return
	}
	s.st = next.Delivered(ids...)
}

func randomVerdicts(r *rand.Rand) (list [][]string) {
	for range r.IntN(4) {
		start := fmt.Sprintf("00:%02d", 10*r.IntN(6))
		topic := fmt.Sprintf("t%d", r.IntN(8))
		place := []string{"", "@east", "@west", "@east,west"}[r.IntN(4)]
		finding := []string{"missing:regional>aggregate:%d", "altered:regional>aggregate:%d", "duplicated:regional>aggregate:%d", "unknown/uncounted:>aggregate:%d"}[r.IntN(4)]
		state := []string{"final", "final", "amended", "provisional"}[r.IntN(4)]
		words := []string{topic, start, state, "regional=1000", "aggregate=990"}
		if r.IntN(3) > 0 {
			words = append(words, fmt.Sprintf(finding, 1+r.IntN(50))+place)
		}
		if r.IntN(2) == 0 && state == "provisional" {
			words[2] = "final"
		}
		list = append(list, words)
	}
	return list
}
