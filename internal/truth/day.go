package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// A day is a long time in which nothing happens but what always does: instances restart,
// partitions move, topics are made and grow, messages are late. It has the collecting
// machine and the judge, and a simple exact model of those who count: what matters here is
// how often they speak, in which order, and who. Now and then a message is lost.
type day struct {
	seed       uint64
	r          *rand.Rand
	partition  int32 // of the audit topic; each is a day of its own
	now        int64 // Unix milliseconds
	begin, end int64
	topics     []*dayTopic
	outages    []outage

	log       []collect.Message // from the committed position on
	base      int64             // offset of the first of them
	acked     map[string]int64  // newest version of progress records, by identity
	m         *collect.Machine
	table     map[string][]byte
	applied   int // of log
	committed int64
	owners    int
	down      bool

	windows, verdicts, unknowns, losses, records int
	wrong                                        []problem
	found                                        []float64
}

const (
	instances     = 2
	dayPartitions = 16
	daySize       = 600
	dayGrace      = 120_000
	daySegment    = 64
)

var dayTiers = []string{"edge", "regional", "aggregate"}

// outage is when an instance does not run.
type outage struct {
	instance int
	from, to int64
}

// dayTopic is a topic at all tiers.
type dayTopic struct {
	name       string
	every      int64 // how often it is flushed and spoken of
	phase      int64
	mean       float64 // milliseconds between messages
	quietFrom  int64   // ... and to: nothing comes
	quietTo    int64
	made       int64 // when it was
	grownAt    int64 // when it got partitions more; 0: never
	partitions int32
	next       int64 // event time of the next message
	n          int
	tiers      []*dayTier
	loseAt     map[int64]int // by window, at which hop one is lost
	lost       map[int64]*dayLoss
	count      map[int64]uint64 // messages by window
	verdicts   map[int64]*compare.Verdict
	settledAt  map[int64]int64
	standing   *compare.Standing
}

type dayLoss struct {
	hop int
	id  uint64
}

// dayTier is a topic at a tier.
type dayTier struct {
	id     audit.TopicID
	there  bool
	logs   []*dayLog
	queue  []dayMessage // to come, not in order
	spoken map[string]*spoken
}

type spoken struct {
	sequence int64
	at       int64
	changed  int64 // when it last said something new
	last     string
}

type dayMessage struct {
	at, event    int64
	hash, moment uint64
	partition    int32
	lostAt       int // hop; -1: nowhere
}

// dayLog is a partition and what is counted of it.
type dayLog struct {
	entries []dayMessage // not counted
	end     int64
	start   int64
	counted int64
	total   uint64
	last    int64
	owner   string
	segment int64
	open    map[int64]*dayRow
}

type dayRow struct {
	audit.Tally
	first, last int64
	changed     bool
}

// newDay makes the part of a day that is in one partition of the audit topic.
func newDay(seed uint64, partition int32, topics int, hours int, losses int) *day {
	d := &day{seed: seed, r: rand.New(rand.NewPCG(seed, uint64(partition))), partition: partition, acked: map[string]int64{}, table: map[string][]byte{}, committed: -1}
	d.begin = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	d.end = d.begin + int64(hours)*3_600_000
	d.now = d.begin
	for i := range topics {
		name := fmt.Sprint("topic-", i)
		r := audit.Record{Kind: audit.KindWindow, Identity: audit.Identity{Topic: name}}
		if shards.PartitionOf(r.Key(), dayPartitions) == partition {
			d.topics = append(d.topics, d.newTopic(i, name))
		}
	}
	all := rand.New(rand.NewPCG(seed, 99)) // the same for all partitions
	for at := d.begin + 1_800_000; at < d.end; at += 3_600_000 + all.Int64N(3_600_000) {
		t := at
		for i := range instances { // rolling, or one dies
			if all.IntN(3) == 0 && i > 0 {
				break
			}
			length := 2000 + all.Int64N(28_000)
			d.outages = append(d.outages, outage{i, t, t + length})
			t += length + 5000 + all.Int64N(60_000)
		}
	}
	for range min(losses, 1000*len(d.topics)) {
		t := d.topics[d.r.IntN(len(d.topics))]
		window := t.made/1000/daySize*daySize + d.r.Int64N(max(1, (d.end-t.made)/1000/daySize))*daySize
		t.loseAt[window] = d.r.IntN(len(dayTiers) - 1)
	}
	d.collector()
	return d
}

func (d *day) newTopic(i int, name string) *dayTopic {
	r := d.r
	t := &dayTopic{name: name, every: 10_000, phase: r.Int64N(10), made: d.begin, partitions: 1 + r.Int32N(4),
		loseAt: map[int64]int{}, lost: map[int64]*dayLoss{}, count: map[int64]uint64{}, verdicts: map[int64]*compare.Verdict{}, settledAt: map[int64]int64{}}
	switch {
	case i%50 == 0:
		t.mean, t.every = 1000, 2000
	case i%6 == 0:
		t.mean = 10_000
	case i%3 == 0:
		t.mean = 120_000
	default:
		t.mean = 1_800_000
	}
	if r.IntN(4) == 0 {
		t.made = d.begin + r.Int64N(d.end-d.begin)
	}
	if r.IntN(4) == 0 {
		t.grownAt = t.made + r.Int64N(d.end-t.made+1)
	}
	if r.IntN(3) == 0 {
		t.quietFrom = t.made + r.Int64N(d.end-t.made+1)
		t.quietTo = t.quietFrom + r.Int64N(8*3_600_000)
	}
	t.next = t.made
	for k := range dayTiers {
		t.tiers = append(t.tiers, &dayTier{id: audit.TopicID{byte(k + 1), byte(i >> 8), byte(i), 1}, spoken: map[string]*spoken{}})
	}
	return t
}

// run plays it, and sees what was said.
func (d *day) run() error {
	last := d.end + dayGrace + 600_000
	for ; d.now < last; d.now += 1000 {
		if err := d.second(); err != nil {
			return fmt.Errorf("seed %d, partition %d at %s: %w", d.seed, d.partition, clock(d.now), err)
		}
	}
	d.check()
	return nil
}

func (d *day) second() error {
	s := d.now / 1000
	for _, t := range d.topics {
		if t.made > d.now {
			continue
		}
		if (s+t.phase)%(t.every/1000) != 0 {
			continue
		}
		d.messages(t)
		for k := range t.tiers {
			d.arrive(t, k)
			if err := d.speak(t, k); err != nil {
				return err
			}
		}
	}
	switch { // it flushes every second, restarts now and then
	case d.down:
		if d.r.IntN(20) == 0 {
			d.collector()
			d.down = false
		}
		return nil
	case d.r.IntN(7200) == 0:
		return d.crash()
	}
	return d.collect()
}

// messages makes those whose time has come.
func (d *day) messages(t *dayTopic) {
	for ; t.next <= d.now && t.next < d.end; t.next += 1 + int64(d.r.ExpFloat64()*t.mean) {
		if t.next >= t.quietFrom && t.next < t.quietTo {
			continue
		}
		t.n++
		skew := d.r.Int64N(2000) - 1000 // of the producer's clock
		event := t.next + skew
		if event >= d.end {
			continue
		}
		key := fmt.Appendf(nil, "%s-%d", t.name, t.n)
		value := fmt.Appendf(nil, `{"id":%d,"ts":%d}`, t.n, event)
		m := dayMessage{at: t.next, event: event, hash: audit.Hash(key, value), moment: audit.Moment(key, event), lostAt: -1}
		n := t.partitions
		if t.grownAt > 0 && t.next >= t.grownAt {
			n += 2
		}
		m.partition = int32(m.hash % uint64(n))
		if d.r.IntN(200) == 0 { // late, and within grace
			m.at += d.r.Int64N(80_000)
		}
		w := event / 1000 / daySize * daySize
		t.count[w]++
		if hop, ok := t.loseAt[w]; ok && t.lost[w] == nil {
			m.lostAt = hop
			t.lost[w] = &dayLoss{hop, idOf(key, value)}
			d.losses++
		}
		t.tiers[0].queue = append(t.tiers[0].queue, m)
	}
}

// arrive has messages come to a tier, and sends them on.
func (d *day) arrive(t *dayTopic, k int) {
	x := t.tiers[k]
	if k == 0 && d.now >= t.made {
		x.there = true
	}
	n := t.partitions
	if t.grownAt > 0 && d.now >= t.grownAt {
		n += 2
	}
	slices.SortFunc(x.queue, func(a, b dayMessage) int { return int(a.at - b.at) })
	i := 0
	for ; i < len(x.queue) && x.queue[i].at <= d.now; i++ {
		m := x.queue[i]
		x.there = true
		for len(x.logs) <= int(m.partition) {
			x.logs = append(x.logs, &dayLog{open: map[int64]*dayRow{}})
		}
		l := x.logs[m.partition]
		l.entries = append(l.entries, m)
		l.end++
		if k+1 < len(t.tiers) && m.lostAt != k {
			m.at += 100 + d.r.Int64N(8000)
			t.tiers[k+1].queue = append(t.tiers[k+1].queue, m)
		}
	}
	x.queue = slices.Delete(x.queue, 0, i)
	if !x.there {
		return
	}
	for len(x.logs) < int(n) {
		x.logs = append(x.logs, &dayLog{open: map[int64]*dayRow{}})
	}
	if d.r.IntN(500) == 0 { // retention, behind counting
		for _, l := range x.logs {
			l.start = l.counted
		}
	}
}

// ownerOf a partition now: the instance that it hashes to, of those that run. Empty while
// it moves.
func (d *day) ownerOf(t *dayTopic, k int, p int32) string {
	h := audit.Hash([]byte(t.name), []byte{byte(k), byte(p)})
	running := make([]int, 0, instances)
	changed := int64(0)
	epochs := [instances]int{}
	for i := range instances {
		up := true
		for _, o := range d.outages {
			if o.instance != i || o.from > d.now {
				continue
			}
			if d.now < o.to {
				up = false
				changed = max(changed, o.from)
			} else {
				epochs[i]++
				changed = max(changed, o.to)
			}
		}
		if up {
			running = append(running, i)
		}
	}
	if len(running) == 0 || d.now-changed < 8000 {
		return "" // a rebalance
	}
	i := running[h%uint64(len(running))]
	return fmt.Sprintf("count-%d-%d", i, epochs[i])
}

// speak has all instances flush what they have of a topic at a tier, and say how far.
func (d *day) speak(t *dayTopic, k int) error {
	x := t.tiers[k]
	id := audit.Identity{Tier: dayTiers[k], Cluster: dayTiers[k], Topic: t.name, TopicID: x.id}
	if !x.there {
		id.TopicID = audit.TopicID{}
		owner := d.ownerOf(t, k, 0)
		if owner == "" {
			return nil
		}
		return d.progress(x, id, owner, nil, 0)
	}
	by := map[string][]audit.SourceProgress{}
	var owners []string
	for p, l := range x.logs {
		owner := d.ownerOf(t, k, int32(p))
		if owner == "" {
			continue
		}
		if owner != l.owner && l.owner != "" && d.r.IntN(3) == 0 { // rows that were ahead are emitted again
			if err := d.again(t, k, int32(p), l, owner); err != nil {
				return err
			}
		}
		l.owner = owner
		if err := d.flush(t, k, int32(p), l, owner); err != nil {
			return err
		}
		if by[owner] == nil {
			owners = append(owners, owner)
		}
		by[owner] = append(by[owner], audit.SourceProgress{Partition: int32(p), Segment: l.segment, Next: l.counted, Total: l.total, Time: l.last,
			LogStart: l.start, End: l.end, HighWatermark: l.end, CaughtUp: audit.CaughtUpYes})
	}
	for _, owner := range owners {
		if err := d.progress(x, id, owner, by[owner], int32(len(x.logs))); err != nil {
			return err
		}
	}
	return nil
}

func (d *day) progress(x *dayTier, id audit.Identity, owner string, sources []audit.SourceProgress, partitions int32) error {
	id.Partition, id.Instance = audit.NoPartition, owner
	key := owner + id.TopicID.String()
	s := x.spoken[key]
	if s == nil {
		s = &spoken{}
		x.spoken[key] = s
	}
	atLeast := int64(10_000) // as in processors/count: more often while windows wait for it
	if d.now-s.changed < 15*60_000 {
		atLeast = 5_000
	}
	text := fmt.Sprint(sources, partitions)
	if text == s.last && d.now-s.at < atLeast {
		return nil
	}
	if text != s.last {
		s.changed = d.now
	}
	s.last, s.at = text, d.now
	s.sequence++
	r := &audit.Record{Kind: audit.KindProgress, Identity: id, Version: s.sequence, Owner: owner, Host: owner,
		Progress: &audit.Progress{AskedAfter: s.sequence - 1, Partitions: partitions, Sources: sources}}
	return d.emit(r)
}

// flush counts what has come, all but the newest at times.
func (d *day) flush(t *dayTopic, k int, p int32, l *dayLog, owner string) error {
	n := len(l.entries)
	if n > 1 && d.r.IntN(3) == 0 {
		n -= d.r.IntN(2)
	}
	var changed []int64
	emit := func() error {
		slices.Sort(changed)
		for _, w := range changed {
			if err := d.window(t, k, p, l, w, owner); err != nil {
				return err
			}
		}
		changed = nil
		return nil
	}
	for _, m := range l.entries[:n] {
		w := m.event / 1000 / daySize * daySize
		row := l.open[w]
		if row == nil {
			if len(l.open) == daySegment {
				if err := emit(); err != nil {
					return err
				}
				l.open = map[int64]*dayRow{}
				l.segment++
			}
			row = &dayRow{first: l.counted}
			l.open[w] = row
		}
		row.Add(&audit.Event{Bytes: 40, Hash: m.hash, Moment: m.moment, Latency: max(0, m.at-m.event)})
		row.last = l.counted
		l.counted++
		l.total++
		l.last = m.at
		if !row.changed {
			row.changed = true
			changed = append(changed, w)
		}
	}
	l.entries = slices.Delete(l.entries, 0, n)
	return emit()
}

func (d *day) again(t *dayTopic, k int, p int32, l *dayLog, owner string) error {
	for w, row := range l.open {
		if row.last >= l.counted-3 {
			if err := d.window(t, k, p, l, w, owner); err != nil {
				return err
			}
			break
		}
	}
	return nil
}

func (d *day) window(t *dayTopic, k int, p int32, l *dayLog, w int64, owner string) error {
	row := l.open[w]
	row.changed = false
	return d.emit(&audit.Record{Kind: audit.KindWindow, Version: row.last, Owner: owner, Host: owner,
		Identity: audit.Identity{Tier: dayTiers[k], Cluster: dayTiers[k], Topic: t.name, TopicID: t.tiers[k].id, Partition: p, Segment: l.segment, Window: audit.Window{Start: w, Size: daySize}},
		Tally: &audit.WindowTally{Tally: row.Tally, First: row.first, Last: row.last, Codec: "json", TimeBasis: audit.BasisPayload, LatencyBasis: audit.BasisCreateTime,
			Digest: "json", FingerprintMode: audit.FingerprintMode}})
}

var dayPlan = func() *compare.Plan {
	var clusters []compare.Cluster
	for _, t := range dayTiers {
		clusters = append(clusters, compare.Cluster{Name: t, Tier: t})
	}
	p, err := compare.NewPlan([]compare.Pipeline{{Name: "main", Topics: []string{".*"}, Tiers: dayTiers, Grace: compare.DefaultGrace,
		LateWithin: compare.DefaultLateWithin, GoneAfter: compare.DefaultGoneAfter}}, clusters)
	if err != nil {
		panic(err) // not reached: it is fixed
	}
	return p
}()
