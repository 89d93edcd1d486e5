package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/internal/scenario"
)

// A story is one world with a pipeline, topics and faults, all of it chosen by a seed and
// planned before it begins: so it is known at every moment what is true.
type story struct {
	seed  uint64
	r     *rand.Rand
	w     *scenario.World
	tiers []tier
	lines []*stream
	apps  []string
	size  int64 // of windows, milliseconds
	grace int64
	late  int64
	gone  int64
	begin int64
	end   int64 // of the last window
	// acts are what happens beside messages, in order of time.
	acts  []act
	downs []downtime // when nobody counts
	calm  bool       // no restarts at random

	injected map[string]int // faults by kind
	wrong    []problem
	found    []float64 // seconds from the end of grace to the verdict
	verdicts int
	windows  int
	claims   int // of provisional windows that say more than is so
	settled  int
}

// tier is one of the pipeline: places are its clusters, one for each datacenter; none of a
// tier of applications.
type tier struct {
	name   string
	places []string
}

func (t *tier) client() bool { return len(t.places) == 0 }

// act is something that happens at a moment.
type act struct {
	at int64
	do func() error
}

// downtime is when something cannot be settled.
type downtime struct{ from, to int64 }

// message is what somebody wanted to send.
type message struct {
	key, value []byte
	event      int64
	dc         int
	partition  int // where it is kept
	app        string
	unanswered bool
	withdrawn  bool // nobody sends it
}

// landing is a message, or what became of it, at a tier.
type landing struct {
	m         *message
	value     []byte
	id        uint64
	due, at   int64 // when it is to come, and came; at is 0 before
	partition int
	offset    int64
	open      bool   // in a transaction that hangs
	was       uint64 // id before it was altered at the hop to this tier; 0: it was not
}

// stream is a topic: what it was planned to be at each tier.
type stream struct {
	s          *story
	name       string
	role       string
	keep       bool // messages keep their partition
	scattered  bool // ... or go to any
	partitions []int
	grown      int   // to so many
	grownAt    int64 // at a moment; 0: never
	planned    [][]*landing
	next       []int // of planned
	held       map[int]int64
	verdicts   map[int64][]*compare.Verdict

	standing  *compare.Standing
	doubtful  []doubtful
	explained map[int]compare.Kind // by hop
	compacted bool
	changes   []int64 // when what is true changes after windows were final
	downs     []downtime
	made      int
}

// doubtful says that windows that touch a time may be unknown, at a tier, and which must.
type doubtful struct {
	reasons  []compare.Reason
	from, to int64 // event times, milliseconds
	must     map[int64]bool
}

type problem struct {
	kind string // missed, false, complete, number, id, place, settle, order, slow
	text string
}

const (
	missedFault   = "missed"
	falseFinding  = "false"
	falseComplete = "complete"
	wrongNumber   = "number"
	wrongName     = "name"
	notSettled    = "unsettled"
	wrongOrder    = "order"
	overclaims    = "overclaims"
	tooSlow       = "slow"
)

func (s *story) fail(kind, format string, a ...any) {
	s.wrong = append(s.wrong, problem{kind, fmt.Sprintf("seed %d: ", s.seed) + fmt.Sprintf(format, a...)})
}

const step = 5 * time.Second

// idOf is what a message is called in findings.
func idOf(key, value []byte) uint64 {
	const prime = 1<<61 - 1
	if id := audit.Hash(key, value) % prime; id != 0 {
		return id
	}
	return 1
}

// newStory plans one.
func newStory(seed uint64) (*story, error) {
	r := rand.New(rand.NewPCG(seed, 1))
	w, err := scenario.NewWorld(seed, scenario.Split, scenario.Crash, scenario.Recollect)
	if err != nil {
		return nil, err
	}
	s := &story{seed: seed, r: r, w: w, size: 600_000, grace: 120_000, late: 1_800_000, gone: 600_000, injected: map[string]int{}}
	s.begin = w.Clock()
	s.end = s.begin + int64(5+r.IntN(3))*s.size
	s.calm = r.IntN(4) == 0
	n := 2 + r.IntN(3)
	dcs := 1 + r.IntN(2)
	client := r.IntN(4) == 0
	for i := range n {
		t := tier{name: fmt.Sprint("tier", i)}
		switch {
		case i == 0 && client:
			t.name = "client"
		case dcs == 2 && i < n-1:
			t.places = []string{t.name + "/west", t.name + "/east"}
		default:
			t.places = []string{t.name}
		}
		for _, p := range t.places {
			name, dc, _ := strings.Cut(p, "/")
			if dc != "" {
				dc = " dc=" + dc
			}
			if err := w.Do("tier %s%s", name, dc); err != nil {
				return nil, err
			}
		}
		s.tiers = append(s.tiers, t)
	}
	if client {
		for i := range 1 + r.IntN(3) {
			s.apps = append(s.apps, fmt.Sprint("web-", i))
		}
	}
	return s, nil
}

// judged says how windows are judged, once streams are known.
func (s *story) judged() error {
	line := compare.Pipeline{Name: "main", Topics: []string{"t.*"}, Grace: ms(s.grace), LateWithin: ms(s.late), GoneAfter: ms(s.gone)}
	for _, t := range s.tiers {
		line.Tiers = append(line.Tiers, t.name)
	}
	filtered := line
	filtered.Name, filtered.Topics = "filtered", []string{"f.*"}
	for _, x := range s.lines {
		for hop, kind := range x.explained {
			filtered.Expected = append(filtered.Expected, compare.Expected{Topics: x.name, From: s.tiers[hop].name, To: s.tiers[hop+1].name, Allow: []compare.Kind{kind}, Because: "a filter"})
		}
	}
	if err := s.w.Judge(line, filtered); err != nil {
		return err
	}
	s.w.Watch(func(v *compare.Verdict, st *compare.Standing) {
		for _, x := range s.lines {
			switch {
			case v != nil && x.name == v.Topic:
				x.verdicts[v.Start] = append(x.verdicts[v.Start], v)
			case st != nil && x.name == st.Topic:
				x.checkStanding(st)
			}
		}
	})
	for _, a := range s.apps {
		if err := s.w.Do("app %s start tier=client", a); err != nil {
			return err
		}
	}
	return nil
}

func ms(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// newStream makes a topic, with so many messages in each window, from a moment on.
func (s *story) newStream(role string, perWindow func(window int) int, from int64) *stream {
	x := &stream{s: s, role: role, name: fmt.Sprintf("t%d", len(s.lines)), verdicts: map[int64][]*compare.Verdict{}, explained: map[int]compare.Kind{}, held: map[int]int64{}}
	n := 1 + s.r.IntN(8)
	switch s.r.IntN(3) {
	case 0:
		x.keep = true
	case 1:
		x.scattered = true
	}
	for range s.tiers {
		if !x.keep && s.r.IntN(2) == 0 {
			n = 1 + s.r.IntN(8)
		}
		x.partitions = append(x.partitions, n)
	}
	x.planned, x.next = make([][]*landing, len(s.tiers)), make([]int, len(s.tiers))
	skew := int64(0)
	if s.r.IntN(5) == 0 { // producers whose clocks are ahead
		skew = s.r.Int64N(40_000)
		s.injected["skew"]++
	}
	nokeys := s.r.IntN(5) == 0
	used := map[int64]bool{}
	for w := range int((s.end - s.begin) / s.size) {
		for range perWindow(w) {
			event := s.begin + int64(w)*s.size + s.r.Int64N(s.size)
			if event < from || used[event] {
				continue
			}
			used[event] = true
			x.made++
			m := &message{event: event, dc: s.r.IntN(2), value: value(x.made, event, 0)}
			if !nokeys {
				m.key = fmt.Appendf(nil, "%s-%d", x.name, x.made)
			}
			m.partition = s.r.IntN(x.partitions[0])
			latency := s.r.Int64N(2000)
			if s.r.IntN(20) == 0 {
				latency = s.r.Int64N(60_000)
			}
			if len(s.apps) > 0 {
				m.app = s.apps[s.r.IntN(len(s.apps))]
				latency = 0
			}
			x.planned[0] = append(x.planned[0], &landing{m: m, value: m.value, id: idOf(m.key, m.value), due: max(event+latency-skew, s.begin+1)})
		}
	}
	s.lines = append(s.lines, x)
	return x
}

func value(n int, ts int64, altered int) []byte {
	v := fmt.Appendf(nil, `{"id":%d,"ts":%d,"pad":"`, n, ts)
	v = append(v, bytes.Repeat([]byte{'x'}, 20)...)
	return fmt.Appendf(v, `%d"}`, altered)
}

// carry plans what becomes of the messages at each hop. Cells says what befalls those of a
// window.
func (x *stream) carry(befall func(hop int, window int64, batch []*landing) (lost, doubled, altered []*landing), delay func(hop int, l *landing, due int64) int64) {
	s := x.s
	for hop := range len(s.tiers) - 1 {
		byWindow := map[int64][]*landing{}
		var windows []int64
		for _, l := range x.planned[hop] {
			w := l.m.event / s.size * s.size
			if byWindow[w] == nil {
				windows = append(windows, w)
			}
			byWindow[w] = append(byWindow[w], l)
		}
		slices.Sort(windows)
		for _, w := range windows {
			batch := byWindow[w]
			slices.SortFunc(batch, func(a, b *landing) int { return cmp.Or(cmp.Compare(a.m.event, b.m.event), cmp.Compare(a.due, b.due)) })
			lost, doubled, altered := befall(hop, w, batch)
			for _, l := range batch {
				if slices.Contains(lost, l) {
					continue
				}
				due := l.due + 200 + s.r.Int64N(8000)
				if delay != nil {
					due = delay(hop, l, due)
				}
				to := &landing{m: l.m, value: l.value, id: l.id, due: due}
				if slices.Contains(altered, l) {
					to.value = value(x.made, l.m.event, 1+s.r.IntN(1_000_000))
					to.was, to.id = l.id, idOf(l.m.key, to.value)
				}
				x.planned[hop+1] = append(x.planned[hop+1], to)
			}
			for _, l := range doubled {
				x.planned[hop+1] = append(x.planned[hop+1], &landing{m: l.m, value: l.value, id: l.id, due: l.due + 200 + s.r.Int64N(12_000)})
			}
		}
	}
}

func (x *stream) sort() {
	for i := range x.planned {
		slices.SortStableFunc(x.planned[i], func(a, b *landing) int { return cmp.Compare(a.due, b.due) })
	}
}

// place is where a landing goes.
func (x *stream) place(tier int, l *landing) string {
	places := x.s.tiers[tier].places
	return places[l.m.dc%len(places)]
}

func (x *stream) partitionOf(tier int, l *landing) int {
	n := x.partitions[tier]
	if x.grownAt > 0 && x.s.w.Clock() >= x.grownAt {
		n = max(n, x.grown)
	}
	switch {
	case x.keep:
		return l.m.partition % n
	case x.scattered || l.m.key == nil:
		return x.s.r.IntN(n)
	}
	return int(audit.Hash(l.m.key, nil) % uint64(n))
}

// run plays the story up to its end and a while after it.
func (s *story) run() error {
	for _, x := range s.lines {
		x.sort()
	}
	slices.SortStableFunc(s.acts, func(a, b act) int { return cmp.Compare(a.at, b.at) })
	active := s.end + s.grace + 5*60_000
	for _, x := range s.lines {
		for i := range x.planned {
			if n := len(x.planned[i]); n > 0 {
				active = max(active, x.planned[i][n-1].due+s.grace+5*60_000)
			}
		}
		for _, at := range x.changes {
			active = max(active, at+s.grace+5*60_000)
		}
		for _, d := range x.downs {
			active = max(active, d.to+s.grace+5*60_000)
		}
	}
	for _, d := range s.downs {
		active = max(active, d.to+s.grace+5*60_000)
	}
	last := max(active, s.end+s.late+10*60_000)
	for s.w.Clock() < last {
		d := step
		if s.w.Clock() > active {
			d = 4 * step
		}
		if err := s.tick(d); err != nil {
			return fmt.Errorf("seed %d at %s: %w", s.seed, clock(s.w.Clock()), err)
		}
	}
	return nil
}

func clock(at int64) string { return time.UnixMilli(at).UTC().Format("15:04:05.000") }

func (s *story) tick(d time.Duration) error {
	to := s.w.Clock() + d.Milliseconds()
	for len(s.acts) > 0 && s.acts[0].at <= to {
		if err := s.acts[0].do(); err != nil {
			return err
		}
		s.acts = s.acts[1:]
	}
	for _, x := range s.lines {
		if err := x.put(to); err != nil {
			return err
		}
	}
	disturbed := !s.calm && s.r.IntN(40) == 0
	s.w.Disturb(disturbed)
	if s.r.IntN(60) == 0 {
		s.w.Repeat(1 + s.r.IntN(4))
	}
	if !s.calm && s.r.IntN(150) == 0 {
		if err := s.restart(); err != nil {
			return err
		}
	}
	if err := s.w.Pass(d); err != nil {
		return err
	}
	s.w.Disturb(false)
	return nil
}

// restart restarts something in order, or not.
func (s *story) restart() error {
	if s.w.Counting() && s.r.IntN(2) == 0 {
		return s.w.Do("rebalance")
	}
	if s.w.Counting() {
		after := []string{"table", "rows", "ledger"}[s.r.IntN(3)]
		return errors.Join(s.w.Do("crash count after=%s", after), s.w.Do("start count"))
	}
	return nil
}

// put lets come what is due.
func (x *stream) put(to int64) error {
	for tier := range x.planned {
		if x.held[tier] >= to {
			continue
		}
		for x.next[tier] < len(x.planned[tier]) && x.planned[tier][x.next[tier]].due <= to {
			l := x.planned[tier][x.next[tier]]
			x.next[tier]++
			if err := x.land(tier, l, to); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *stream) land(tier int, l *landing, at int64) error {
	if l.m.withdrawn {
		return nil
	}
	l.at = at
	m := codecs.Message{Key: l.m.key, Value: l.value, Time: l.due, TimeType: codecs.CreateTime}
	if x.s.tiers[tier].client() {
		for _, p := range x.s.tiers[1].places { // else nothing is acknowledged
			if err := x.make(1, p); err != nil {
				return err
			}
		}
		return x.s.w.Send(l.m.app, x.name, &m, l.m.event, !l.m.unanswered)
	}
	place := x.place(tier, l)
	l.partition = x.partitionOf(tier, l)
	if err := x.make(tier, place); err != nil {
		return err
	}
	var err error
	l.offset, err = x.s.w.Put(place, x.name, l.partition, m, l.open)
	return err
}

// make makes the topic at a place, if it is not there.
func (x *stream) make(tier int, place string) error {
	if x.s.w.Has(place, x.name) {
		return nil
	}
	err := x.s.w.Topic(place, x.name, x.partitions[tier])
	if err == nil && x.compacted && tier == len(x.planned)-1 {
		err = x.s.w.Compact(place, x.name)
	}
	return err
}
