package alerts

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A Play is an alert that there would have been.
type Play struct {
	query.Alert
	Told int // how often somebody would have been told, its end included
}

// replayEvery is how often a step is made in a replay, by the log's time.
const replayEvery = 30 * time.Second

// Replay runs the rules over what the judge has said, in the order in which it was said,
// and gives the alerts that there would have been, those that began first first. Of a
// window there may be several verdicts, one after the other. Modes are left out of
// account; mutes hold by the log's time.
func (r *Rules) Replay(verdicts []*compare.Verdict, standings []*compare.Standing) []Play {
	aloud := *r
	aloud.c.Mode = On
	aloud.rules = nil
	for _, x := range r.rules {
		y := *x
		if y.Mode == Shadow {
			y.Mode = On
		}
		aloud.rules = append(aloud.rules, &y)
	}
	if len(aloud.c.Notifiers) == 0 {
		aloud.c.Notifiers = []string{"somebody"}
	}
	p := &player{r: &aloud, verdicts: map[string]*compare.Verdict{}, standings: map[string]*compare.Standing{}, plays: map[string]*Play{}, st: &State{}}
	var said []saying
	for _, v := range verdicts {
		said = append(said, saying{v.Judged, func() { p.hear(v) }})
	}
	for _, s := range standings {
		said = append(said, saying{s.Judged, func() { p.standings[s.Topic] = s }})
	}
	slices.SortStableFunc(said, func(a, b saying) int { return cmp.Compare(a.at, b.at) })
	p.play(said)
	plays := make([]Play, 0, len(p.plays))
	for _, key := range slices.Sorted(maps.Keys(p.plays)) {
		plays = append(plays, *p.plays[key])
	}
	slices.SortStableFunc(plays, func(a, b Play) int { return cmp.Compare(a.Since, b.Since) })
	return plays
}

// A saying is something that was said at a moment, Unix milliseconds.
type saying struct {
	at   int64
	hear func()
}

type player struct {
	r         *Rules
	st        *State
	verdicts  map[string]*compare.Verdict
	standings map[string]*compare.Standing
	plays     map[string]*Play
}

func (p *player) hear(v *compare.Verdict) {
	if old := p.verdicts[v.Key()]; old == nil || v.Version >= old.Version {
		p.verdicts[v.Key()] = v
	}
}

// play goes from saying to saying, and in small steps as long as there are alerts that
// may move on by time alone.
func (p *player) play(said []saying) {
	every := replayEvery.Milliseconds()
	for i := 0; i < len(said); {
		at := (said[i].at/every + 1) * every
		for ; i < len(said) && said[i].at < at; i++ {
			said[i].hear()
		}
		next := at + every
		if i < len(said) {
			next = said[i].at
		}
		for {
			p.step(at)
			if at += every; at > next || !p.live() {
				break
			}
		}
	}
}

func (p *player) step(at int64) {
	span := p.r.c.Span.Milliseconds()
	maps.DeleteFunc(p.verdicts, func(_ string, v *compare.Verdict) bool {
		return v.State.Settled() && max(v.Window().End()*1000, v.Judged)+2*span < at
	})
	s := NewSnapshot(slices.Collect(maps.Values(p.verdicts)), slices.SortedFunc(maps.Values(p.standings), func(a, b *compare.Standing) int { return cmp.Compare(a.Topic, b.Topic) }))
	s.Verdicts, s.AsOf = union(s.Verdicts), at
	next, _ := p.r.Step(p.st, s, time.UnixMilli(at))
	var ids []string
	for _, n := range p.r.Waiting(next) {
		ids = append(ids, n.ID)
	}
	for key, e := range next.Entries {
		p.plays[key] = &Play{e.Alert, e.Sent}
	}
	p.st = next.Delivered(ids...)
}

func (p *player) live() bool {
	for _, e := range p.st.Entries {
		if e.live() {
			return true
		}
	}
	return false
}
