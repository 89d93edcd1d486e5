package alerts_test

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

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
