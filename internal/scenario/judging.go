package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
)

// pipeline has windows judged: it says which tiers messages pass, in order.
func (w *world) pipeline(a *args) error {
	line := compare.Pipeline{
		Name: "main", Topics: []string{".*"}, Tiers: strings.Split(a.word(0), ","),
		Grace:      a.duration("grace", compare.DefaultGrace),
		LateWithin: a.duration("late", compare.DefaultLateWithin),
		GoneAfter:  a.duration("gone", compare.DefaultGoneAfter),
	}
	if a.has("bypassed") {
		line.Bypassed = strings.Split(a.options["bypassed"], ",")
	}
	if a.has("allow") {
		for i := 1; i < len(line.Tiers); i++ {
			line.Expected = append(line.Expected, compare.Expected{Topics: ".*", From: line.Tiers[i-1], To: line.Tiers[i],
				Allow: []compare.Kind{compare.Kind(a.options["allow"])}, Because: cmp.Or(a.options["because"], "configured")})
		}
	}
	if a.err != nil {
		return a.err
	}
	if err := w.judgeBy([]compare.Pipeline{line}); err != nil {
		return a.fail("%v", err)
	}
	return w.untouched(a)
}

func (w *world) judgeBy(lines []compare.Pipeline) error {
	var clusters []compare.Cluster
	for _, p := range w.places {
		clusters = append(clusters, compare.Cluster{Name: p.cluster(), Tier: p.tier, Datacenter: p.dc})
	}
	var err error
	if w.plan, err = compare.NewPlan(lines, clusters); err != nil || w.collector == nil {
		return err
	}
	return w.startCollecting()
}

// beat is how often those who count say how far, where windows are judged.
const beat = 15 * time.Second

// pass lets time pass in small steps, as it does.
func (w *world) pass(ms int64) error {
	for end := w.clock + ms; ; {
		if err := w.tick(); err != nil {
			return err
		}
		if w.clock == end {
			return nil
		}
		w.clock = min(end, w.clock+beat.Milliseconds())
	}
}

func (w *world) tick() error {
	for p := range int32(auditPartitions) {
		t := collect.Tick(p, auditPartitions)
		w.append(t.EmitKey, t.Emit)
	}
	for _, name := range slices.Sorted(maps.Keys(w.apps)) {
		if err := w.apps[name].report(); err != nil {
			return err
		}
	}
	return w.settle()
}

// see shows what the judge has said to who watches.
func (w *world) see(key string, value []byte) {
	if w.watch == nil || !table.Judged(key) {
		return
	}
	if v, s, err := compare.Decode(value); err == nil && (v != nil || s != nil) {
		w.watch(v, s)
	}
}

// verdicts are the newest that the collect table holds, and how topics stand.
func (w *world) verdicts() (verdicts []*compare.Verdict, standings []*compare.Standing, err error) {
	byWindow, byTopic := map[string]*compare.Verdict{}, map[string]*compare.Standing{}
	for key, value := range w.collected {
		if !table.Judged(key) {
			continue
		}
		row, err := table.Parse(value)
		if err != nil {
			return nil, nil, fmt.Errorf("%w (key %q)", err, key)
		}
		v, s, err := compare.Decode(row.JSON)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("%w (key %q)", err, key)
		case v != nil:
			if old := byWindow[v.Key()]; old == nil || v.Version > old.Version {
				byWindow[v.Key()] = v
			}
		case s != nil:
			if old := byTopic[s.Topic]; old == nil || s.Version > old.Version {
				byTopic[s.Topic] = s
			}
		}
	}
	verdicts, standings = slices.Collect(maps.Values(byWindow)), slices.Collect(maps.Values(byTopic))
	slices.SortFunc(verdicts, func(a, b *compare.Verdict) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Start, b.Start))
	})
	slices.SortFunc(standings, func(a, b *compare.Standing) int { return cmp.Compare(a.Topic, b.Topic) })
	return verdicts, standings, nil
}

// showVerdicts has a line for each window that was judged, with its findings below, and
// says up to when everything is settled.
func (w *world) showVerdicts() error {
	verdicts, standings, err := w.verdicts()
	if err != nil {
		return err
	}
	for _, topic := range w.topics {
		var t grid
		for _, v := range verdicts {
			if v.Topic != topic {
				continue
			}
			if t == nil {
				t = grid{{topic}}
				for _, c := range v.Tiers {
					t[0] = append(t[0], c.Tier)
				}
				t[0] = append(t[0], "state", "verdict")
			}
			line := []string{label(v.Window())}
			for _, c := range v.Tiers {
				line = append(line, fmt.Sprint(c.Messages))
			}
			t = append(t, append(line, string(v.State), string(v.Kind)))
		}
		if t == nil {
			t = grid{{topic, "nothing is judged"}}
		}
		w.print(t)
		for _, v := range verdicts {
			for i := range v.Findings {
				if v.Topic == topic {
					w.out += fmt.Sprintf("%s %s: %s\n", label(v.Window()), v.Findings[i].Kind, v.Findings[i].Sentence())
				}
			}
		}
		for _, s := range standings {
			if s.Topic == topic {
				w.showStanding(s)
			}
		}
	}
	return nil
}

func (w *world) showStanding(s *compare.Standing) {
	until := "no window"
	if s.Until > 0 {
		until = "windows up to " + time.Unix(s.Until, 0).UTC().Format("15:04")
	}
	w.out += fmt.Sprintf("settled: %s", until)
	for _, r := range s.Tiers {
		for _, h := range r.Holds {
			w.out += fmt.Sprintf("; held by %s %s: %s", r.Tier, &h.Place, h.Reason)
		}
	}
	w.out += "\n"
}
