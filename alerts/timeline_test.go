package alerts_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
)

var rewrite = flag.Bool("rewrite", false, "write the timelines anew")

// midnight of the day of all timelines, a Saturday.
var midnight = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)

const stepEvery = 30 * time.Second

// A story is a timeline that is played: what the judge says, and what comes of it.
type story struct {
	t         testing.TB
	c         alerts.Config
	rules     *alerts.Rules
	verdicts  map[string]*compare.Verdict
	standings map[string]*compare.Standing
	now       time.Time
	behind    time.Duration // of the log, behind the wall
	st        *alerts.State
	out       strings.Builder
	said      map[string]string // by key
	told      map[string]bool   // IDs
	events    map[string]bool   // keys with what was told of them
	// shaky repeats each step, and forgets what is not stored in between.
	shaky bool
}

func newStory(t testing.TB) *story {
	return &story{t: t, verdicts: map[string]*compare.Verdict{}, standings: map[string]*compare.Standing{}, now: midnight, said: map[string]string{}, told: map[string]bool{}, events: map[string]bool{},
		c: alerts.Config{Mode: alerts.On, Span: 6 * time.Hour, Wait: 30 * time.Second, Update: 30 * time.Minute, Notifiers: []string{"chat"}}}
}

func TestTimelines(t *testing.T) {
	files, _ := filepath.Glob("testdata/timelines/*.txt")
	if len(files) == 0 {
		t.Fatal("no timelines")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newStory(t).play(string(text))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(text) {
				t.Errorf("got\n%s\nwant\n%s", got, text)
			}
			shaky := newStory(t)
			shaky.shaky = true
			if got := shaky.play(string(text)); got != string(text) {
				t.Errorf("with restarts and repeats at every step it is\n%s\nwant\n%s", got, text)
			}
		})
	}
}

// play gives the text with what comes of it: after each line ---- up to an empty one.
func (s *story) play(text string) string {
	var b strings.Builder
	expected := false
	for line := range strings.Lines(text) {
		switch trimmed := strings.TrimSpace(line); {
		case expected:
			if trimmed == "" {
				expected = false
				b.WriteString(line)
			}
			continue
		case trimmed == "----":
			s.step()
			b.WriteString(line)
			b.WriteString(s.out.String())
			s.out.Reset()
			expected = true
			continue
		case trimmed != "" && trimmed[0] != '#':
			s.command(strings.Fields(trimmed))
		}
		b.WriteString(line)
	}
	return b.String()
}

func (s *story) command(words []string) {
	args := words[1:]
	switch words[0] {
	case "mode":
		s.c.Mode, s.rules = alerts.Mode(args[0]), nil
	case "wait":
		s.c.Wait, s.rules = s.duration(args[0]), nil
	case "class":
		s.c.Classes, s.rules = append(s.c.Classes, alerts.Class{Name: args[0], Topics: args[1:]}), nil
	case "rule":
		s.rule(args)
	case "norule":
		s.c.Rules, s.rules = slices.DeleteFunc(s.c.Rules, func(r alerts.Rule) bool { return r.Name == args[0] }), nil
	case "mute":
		s.mute(args)
	case "at":
		s.until(s.clock(args[0]))
	case "stall": // the log stands still for so long
		d := s.duration(args[0])
		for end := s.now.Add(d); s.now.Before(end); {
			s.step()
			s.now, s.behind = s.now.Add(time.Minute), s.behind+time.Minute
		}
	case "resume":
		s.behind = 0
	case "verdict":
		s.verdict(args)
	case "forget":
		delete(s.verdicts, args[0]+" "+args[1])
	case "standing":
		s.standing(args)
	default:
		s.t.Fatalf("%q is no command", words[0])
	}
}

func (s *story) until(at time.Time) {
	if !at.After(s.now) {
		at = at.Add(24 * time.Hour)
	}
	if s.st == nil && s.rules == nil && len(s.verdicts) == 0 {
		s.now = at // nothing can have happened
		return
	}
	for s.now.Add(stepEvery).Before(at) {
		s.step()
		s.now = s.now.Add(stepEvery)
	}
	s.step()
	s.now = at
}

func (s *story) snapshot() *alerts.Snapshot {
	var verdicts []*compare.Verdict
	for _, k := range slices.Sorted(maps.Keys(s.verdicts)) {
		verdicts = append(verdicts, s.verdicts[k])
	}
	var standings []*compare.Standing
	for _, k := range slices.Sorted(maps.Keys(s.standings)) {
		standings = append(standings, s.standings[k])
	}
	snap := alerts.NewSnapshot(verdicts, standings)
	snap.AsOf = max(snap.AsOf, s.now.Add(-s.behind).UnixMilli())
	return snap
}

func (s *story) step() {
	if s.rules == nil {
		r, err := alerts.New(s.c)
		if err != nil {
			s.t.Fatal(err)
		}
		s.rules = r
	}
	st, _ := s.rules.Step(s.st, s.snapshot(), s.now)
	if s.shaky { // it dies before it has stored; then before it has delivered; then before it has said so
		st, _ = s.rules.Step(s.st, s.snapshot(), s.now)
		st = s.reload(st)
		st, _ = s.rules.Step(st, s.snapshot(), s.now)
		s.deliver(st)
		st = s.reload(st)
	}
	s.say(st)
	s.st = st.Delivered(s.deliver(st)...)
}

func (s *story) reload(st *alerts.State) *alerts.State {
	fresh := &alerts.State{}
	for _, e := range st.Entries {
		b, err := e.Encode()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := fresh.Load(b); err != nil {
			s.t.Fatal(err)
		}
	}
	return fresh
}

// say notes what alerts have become.
func (s *story) say(st *alerts.State) {
	for _, key := range slices.Sorted(maps.Keys(st.Entries)) {
		a := &st.Entries[key].Alert
		what := string(a.State)
		if a.Shadow {
			what += " in shadow"
		}
		if a.Muted != "" {
			what += ", muted by " + a.Muted
		}
		if s.said[key] != what {
			s.said[key] = what
			fmt.Fprintf(&s.out, "%s %s %s: %s\n", s.now.Format("15:04:05"), a.Rule, what, a.Summary)
		}
	}
}

// deliver drops repeats as receivers do.
func (s *story) deliver(st *alerts.State) (ids []string) {
	for _, n := range s.rules.Waiting(st) {
		ids = append(ids, n.ID)
		if !s.told[n.ID] {
			s.told[n.ID], s.events[n.Alert.Key+" "+string(n.Event)] = true, true
			if s.shaky && s.said[n.Alert.Key] == "" {
				s.say(st)
			}
			s.later(fmt.Sprintf("%s %s is told: %s %s\n", s.now.Format("15:04:05"), n.Notifier, n.Event, n.Alert.Summary), st)
		}
	}
	return ids
}

func (s *story) later(line string, st *alerts.State) {
	s.say(st)
	s.out.WriteString(line)
}
