package alerts_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
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

func (s *story) clock(text string) time.Time {
	for _, layout := range []string{"15:04:05", "15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			day := time.Duration(0)
			if s.now.After(midnight.Add(24 * time.Hour)) {
				day = s.now.Sub(midnight).Truncate(24 * time.Hour)
			}
			return midnight.Add(day + time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second)
		}
	}
	s.t.Fatalf("%q is no time of day", text)
	return time.Time{}
}

func (s *story) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *story) number(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// rule NAME SUBJECT [key=value ...]
func (s *story) rule(args []string) {
	if args[0] == "default" {
		s.c.Rules, s.rules = alerts.DefaultRules(), nil
		return
	}
	r := alerts.Rule{Name: args[0], Subject: alerts.Subject(args[1]), Severity: query.Ticket}
	for _, kv := range args[2:] {
		k, v, _ := strings.Cut(kv, "=")
		switch k {
		case "severity":
			r.Severity = query.Severity(v)
		case "classes":
			r.Classes = strings.Split(v, ",")
		case "messages":
			r.Messages = s.number(v)
		case "ratio":
			f, err := strconv.ParseFloat(v, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			r.Ratio = f
		case "above":
			r.Above = s.duration(v)
		case "for":
			r.For = s.duration(v)
		case "grace":
			r.Grace = s.duration(v)
		case "repeat":
			r.Repeat = s.duration(v)
		case "mode":
			r.Mode = alerts.Mode(v)
		case "except":
			r.Except = append(r.Except, compare.Reason(v))
		default:
			s.t.Fatalf("rule: %q is no key", k)
		}
	}
	s.c.Rules, s.rules = append(s.c.Rules, r), nil
}

// mute NAME [topics=...] [rules=...] [from=...] [to=...] [days=sat] [hours=22:00-02:00]
func (s *story) mute(args []string) {
	m := alerts.Mute{Name: args[0]}
	for _, kv := range args[1:] {
		k, v, _ := strings.Cut(kv, "=")
		switch k {
		case "topics":
			m.Topics = []string{v}
		case "rules":
			m.Rules = []string{v}
		case "from":
			m.From = s.clock(v)
		case "to":
			m.To = s.clock(v)
		case "days":
			m.Days = []time.Weekday{map[string]time.Weekday{"sat": time.Saturday, "sun": time.Sunday}[v]}
		case "hours":
			a, b, _ := strings.Cut(v, "-")
			m.Hours = [2]time.Duration{s.clock(a).Sub(midnight), s.clock(b).Sub(midnight)}
		default:
			s.t.Fatalf("mute: %q is no key", k)
		}
	}
	s.c.Mutes, s.rules = append(s.c.Mutes, m), nil
}

// verdict TOPIC START STATE tier=N ... and of tiers tier.p99=7m, tier.skew=2m, tier.malformed=5,
// tier.notime=5, and findings such as missing:regional>aggregate:5@east or
// unknown/uncounted:>regional:?@east, and explained ones with ! at the end.
func (s *story) verdict(args []string) {
	v := &compare.Verdict{Topic: args[0], Start: s.clock(args[1]).Unix(), Size: 600, Pipeline: "main", State: compare.State(args[2]), Judged: s.now.Add(-s.behind).UnixMilli()}
	id := args[0] + " " + args[1]
	if old := s.verdicts[id]; old != nil {
		v.Final = old.Final
	}
	if v.State.Settled() && v.Final == 0 {
		v.Final = v.Judged
	}
	for _, word := range args[3:] {
		if strings.Contains(word, ":") {
			v.Findings = append(v.Findings, s.finding(word))
			continue
		}
		k, value, _ := strings.Cut(word, "=")
		tier, what, of := strings.Cut(k, ".")
		if !of {
			v.Tiers = append(v.Tiers, compare.Count{Tier: tier, Messages: s.number(value), Counted: true})
			continue
		}
		c := &v.Tiers[slices.IndexFunc(v.Tiers, func(c compare.Count) bool { return c.Tier == tier })]
		switch what {
		case "p99":
			c.Latency = &compare.Percentiles{Count: c.Messages, P99: float64(s.duration(value).Milliseconds())}
		case "skew":
			c.Latency = &compare.Percentiles{Count: c.Messages, Negative: 3, NegativeMax: s.duration(value).Milliseconds()}
		case "malformed":
			c.Malformed = s.number(value)
		case "notime":
			c.NoTime = s.number(value)
		default:
			s.t.Fatalf("verdict: %q is nothing of a tier", what)
		}
	}
	v.Kind = compare.Gravest(v.Findings)
	s.verdicts[id] = v
}

func (s *story) finding(word string) compare.Finding {
	word, explained := strings.CutSuffix(word, "!")
	word, place, _ := strings.Cut(word, "@")
	parts := strings.Split(word, ":")
	kind, reason, _ := strings.Cut(parts[0], "/")
	from, to, _ := strings.Cut(parts[1], ">")
	f := compare.Finding{Kind: compare.Kind(kind), Reason: compare.Reason(reason), From: from, To: to, Explained: explained}
	switch n := parts[2]; {
	case n == "?":
		f.Bound = compare.Unbounded
	case strings.HasSuffix(n, "+"):
		f.Bound, f.Messages = compare.AtLeast, s.number(strings.TrimSuffix(n, "+"))
	default:
		f.Messages = s.number(n)
	}
	for p := range strings.SplitSeq(place, ",") {
		if p != "" {
			f.Places = append(f.Places, compare.Place{Cluster: p, First: -1, Last: -1})
		}
	}
	return f
}

// standing TOPIC until=10:10 tier=10:13 tier.newest=10:00 tier.hold=uncounted@east
func (s *story) standing(args []string) {
	x := &compare.Standing{Topic: args[0], Pipeline: "main", Size: 600, Since: midnight.Unix(), Judged: s.now.Add(-s.behind).UnixMilli()}
	for _, word := range args[1:] {
		k, v, _ := strings.Cut(word, "=")
		tier, what, of := strings.Cut(k, ".")
		i := slices.IndexFunc(x.Tiers, func(r compare.Reach) bool { return r.Tier == tier })
		switch {
		case k == "until":
			x.Until = s.clock(v).Unix()
		case !of:
			x.Tiers = append(x.Tiers, compare.Reach{Tier: tier, Until: s.clock(v).UnixMilli()})
		case what == "newest":
			x.Tiers[i].Newest = s.clock(v).Unix()
		case what == "hold":
			reason, cluster, _ := strings.Cut(v, "@")
			x.Tiers[i].Holds = append(x.Tiers[i].Holds, compare.Hold{Reason: compare.Reason(reason), Until: x.Tiers[i].Until, Place: compare.Place{Cluster: cluster, First: -1, Last: -1}})
		default:
			s.t.Fatalf("standing: %q is no key", k)
		}
	}
	s.standings[args[0]] = x
}
