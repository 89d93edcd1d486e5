package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/processors/count"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/logs"
)

// A session is a counting instance from when it is given the sources, all of
// them, until it dies. It does what processors/count does: it reads, and it
// flushes in rounds. What it has sent arrives write by write.
type session struct {
	w       *world
	owner   string
	found   map[audit.Source]map[counter.Key]counter.Entry // in the table when it began
	sources map[audit.Source]*source
	list    []*source              // in order
	rules   map[string]codecs.Rule // of topics that were there when it began

	stage stage
	out   []write   // sent and not yet arrived
	taken []flushed // of the round
	said  map[*topic]said
	gone  map[audit.Source]bool // no longer listed; true while nothing has been said about it
}

// A stage of a round: what has been sent.
type stage int

const (
	idle     stage = iota
	rows           // rows and their records
	ledgers        // when all of those were acknowledged
	deletion       // when the coordinator had said that the session still owns the sources
)

type flushed struct {
	x   *source
	led counter.Ledger
}

// A write is to the table, or a record for the audit topic.
type write struct {
	key    string
	value  []byte // nil deletes
	record bool
}

// A source is a partition that the session counts.
type source struct {
	audit.Source
	topic    *topic
	log      *log
	prefix   string
	subject  count.Subject
	c        *counter.Counter
	window   audit.Window
	position int64 // of the reader
	lost     error // why it is not read
	said     int64 // generation whose gap this session has stated
}

// startCounting begins a session. It recovers what the table holds now, though
// it may come to some sources later.
func (w *world) startCounting() error {
	w.owners++
	s := &session{
		w: w, owner: fmt.Sprint("count-", w.owners), found: map[audit.Source]map[counter.Key]counter.Entry{},
		sources: map[audit.Source]*source{}, rules: map[string]codecs.Rule{}, said: map[*topic]said{}, gone: map[audit.Source]bool{},
	}
	w.current = s
	for name, d := range w.declared {
		if d.made > 0 {
			s.rules[name] = d.rule
		}
	}
	for key, value := range w.table {
		src, rest, err := counter.ParseSource(key)
		if err != nil {
			return err
		}
		k, err := counter.ParseKey(rest)
		if err != nil {
			return err
		}
		e, err := counter.Decode(value)
		if err != nil {
			return err
		}
		if s.found[src] == nil {
			s.found[src] = map[counter.Key]counter.Entry{}
		}
		s.found[src][k] = e
	}
	return s.open()
}

// open begins to read what the clusters list and is not yet read, and notes what
// they no longer list.
func (s *session) open() error {
	listed := map[audit.Source]bool{}
	for _, p := range s.w.places {
		for _, name := range slices.Sorted(maps.Keys(p.topics)) {
			t := p.topics[name]
			for i, l := range t.partitions {
				src := audit.Source{Cluster: p.cluster(), Topic: name, TopicID: t.id, Partition: int32(i)}
				listed[src] = true
				if s.sources[src] == nil {
					if err := s.recover(src, p, t, l); err != nil {
						return err
					}
				}
			}
		}
	}
	note := func(src audit.Source) {
		if _, noted := s.gone[src]; !noted && !listed[src] {
			s.gone[src] = true
		}
	}
	for src := range s.found {
		note(src)
	}
	for src := range s.sources {
		note(src)
	}
	return nil
}

func (s *session) recover(src audit.Source, p *place, t *topic, l *log) error {
	subject, err := s.subject(src, p)
	if err != nil {
		return err
	}
	x := &source{Source: src, topic: t, log: l, prefix: counter.SourcePrefix(src), said: -1, subject: subject}
	var found counter.Found
	x.c, found = counter.Recover(counter.Options{
		Owner: s.owner, Windows: s.w.segments, Digest: x.subject.Extract.Digest(s.w.size), Start: s.w.startOf(src, p, l),
	}, counter.Edges{Oldest: l.start, Newest: t.stable(l)}, s.found[src])
	if found.Damaged != nil {
		return fmt.Errorf("%s: %w", src, found.Damaged)
	}
	x.position = x.c.ReadFrom(l.start)
	s.sources[src] = x
	s.list = append(s.list, x)
	slices.SortFunc(s.list, func(a, b *source) int { return cmp.Compare(a.prefix, b.prefix) })
	return nil
}

func (s *session) subject(src audit.Source, p *place) (count.Subject, error) {
	rule, known := s.rules[src.Topic]
	if !known {
		rule = s.w.declared[src.Topic].first
	}
	var rules []codecs.Rule
	if rule.Codec != "" {
		rules = append(rules, rule)
	}
	selector, err := codecs.NewSelector(rules, codecs.Standard(), codecs.Bounds{})
	if err != nil {
		return count.Subject{}, err
	}
	return count.Subject{Host: s.owner, Extract: selector.For(src.Topic), Identity: audit.Identity{
		Tier: p.tier, Datacenter: p.dc, Cluster: src.Cluster, Topic: src.Topic, TopicID: src.TopicID, Partition: src.Partition,
		Window: audit.Window{Size: int64(s.w.size.Seconds())},
	}}, nil
}

// sayRecreated states, once, that the end of a topic that was deleted and made
// again is unknown.
func (s *session) sayRecreated() error {
	for _, src := range slices.SortedFunc(maps.Keys(s.gone), func(a, b audit.Source) int {
		return cmp.Compare(counter.SourcePrefix(a), counter.SourcePrefix(b))
	}) {
		i := slices.IndexFunc(s.w.places, func(p *place) bool { return p.cluster() == src.Cluster })
		if s.w.places[i].topics[src.Topic] == nil || !s.gone[src] {
			continue
		}
		s.gone[src] = false
		led := s.newest(src)
		if led.Total == 0 {
			continue
		}
		subject, err := s.subject(src, s.w.places[i])
		if err != nil {
			return err
		}
		if err := s.w.emit(subject.Missed(s.owner, &counter.Ledger{
			Generation: led.Generation + 1, Base: led.Base, Start: led.Next,
			Missed: &counter.Gap{From: led.Next, To: led.Next, Reason: audit.MissedRecreated, Since: led.LastTime},
		})); err != nil {
			return err
		}
	}
	return nil
}

// newest is the durable ledger of a source.
func (s *session) newest(src audit.Source) (newest counter.Ledger) {
	if x := s.sources[src]; x != nil {
		return x.c.Durable()
	}
	for _, e := range s.found[src] {
		if l := e.Ledger; l != nil && (l.Generation > newest.Generation || l.Generation == newest.Generation && l.Next > newest.Next) {
			newest = *l
		}
	}
	return newest
}

// read counts up to n messages of each source.
func (s *session) read(n int) error {
	if err := s.open(); err != nil {
		return err
	}
	for _, x := range s.list {
		if _, gone := s.gone[x.Source]; gone {
			continue // what was counted of it is flushed all the same
		}
		if x.lost != nil {
			if err := s.reopen(x); err != nil {
				return err
			}
		}
		x.read(s.w, n)
	}
	return nil
}

func (x *source) read(w *world, n int) {
	if x.position < x.log.start || x.position > x.log.end {
		x.lost = &logs.OutOfRange{Offset: x.position}
	}
	if x.lost != nil {
		return
	}
	records, next := x.topic.read(x.log, x.position, n)
	var e counter.Event
	for i := range records {
		x.subject.Event(&records[i], &x.window, &e)
		w.mistake.spoil(&e, w)
		x.c.Add(&e)
	}
	x.c.Advance(next, -1)
	x.position = next
	x.lost = x.c.Broken()
}

// reopen decides how a source that was lost goes on, as processors/count does.
func (s *session) reopen(x *source) error {
	if s != s.w.current { // the coordinator would not confirm it
		return nil
	}
	next, start, reason := x.c.Next(), int64(0), audit.MissedReason("")
	switch end := x.topic.stable(x.log); {
	case errors.Is(x.lost, counter.ErrTruncated):
		start, reason = min(next, end), audit.MissedTruncated
	case next > x.log.end:
		start, reason = end, audit.MissedTruncated
	case next < x.log.start:
		start, reason = x.log.start, audit.MissedRetention
	}
	if reason != "" {
		if !x.c.Idle() {
			return nil // flush first
		}
		if err := x.c.Restart(start, reason); err != nil {
			return err
		}
	}
	x.lost, x.position = nil, x.c.ReadFrom(x.log.start)
	return nil
}

// begin starts a round, if none is under way and there is something to flush.
func (s *session) begin() error {
	if s.stage != idle {
		return nil
	}
	s.taken = s.taken[:0]
	for _, x := range s.list {
		if x.c.Idle() {
			continue
		}
		var err error
		led := x.c.State()
		at := x.c.Flush(func(k counter.Key, r *counter.Row) {
			s.send(x.prefix+k.String(), r.Append(nil))
			err = errors.Join(err, s.sendRecord(x.subject.Row(k, r, &led)))
		})
		if err != nil {
			return err
		}
		s.taken = append(s.taken, flushed{x, at})
		s.stage = rows
	}
	if s.w.mistake.ledgersEarly && s.stage == rows {
		held := s.out
		s.out = nil
		if err := s.sendLedgers(); err != nil {
			return err
		}
		s.out = append(s.out, held...)
	}
	return nil
}

func (s *session) send(key string, value []byte) {
	s.out = append(s.out, write{key: key, value: value})
}

func (s *session) sendRecord(r *audit.Record) error {
	value, err := encode(r)
	s.out = append(s.out, write{key: r.Key(), value: value, record: true})
	return err
}

func (s *session) sendLedgers() error {
	for _, f := range s.taken {
		k := f.x.c.LedgerKey()
		s.send(f.x.prefix+k.String(), f.led.Append(nil))
		if f.led.Missed == nil || f.x.said == f.led.Generation {
			continue
		}
		if err := s.sendRecord(f.x.subject.Missed(s.owner, &f.led)); err != nil {
			return err
		}
	}
	return nil
}

// land lets the next n writes arrive that are to go where pass says.
func (s *session) land(n int, pass func(*write) bool) {
	s.out = slices.DeleteFunc(s.out, func(m write) bool {
		if n == 0 || !pass(&m) {
			return false
		}
		n--
		switch {
		case m.record:
			s.w.send(m.key, m.value)
		case m.value == nil:
			delete(s.w.table, m.key)
		default:
			s.w.table[m.key] = m.value
		}
		return true
	})
}

func anywhere(*write) bool  { return true }
func toTable(m *write) bool { return !m.record }
func toAudit(m *write) bool { return m.record }

// acknowledged goes on to the next stage, if everything sent has arrived.
func (s *session) acknowledged() error {
	if len(s.out) > 0 {
		return nil
	}
	switch s.stage {
	case rows:
		s.stage = ledgers
		return s.sendLedgers()
	case ledgers:
		s.stage = deletion
		for _, f := range s.taken {
			f.x.c.Acked(f.led)
			f.x.said = f.led.Generation
		}
		if s != s.w.current {
			return nil // not confirmed
		}
		for _, x := range s.list {
			if !x.c.Unsure() {
				continue
			}
			for _, k := range x.c.Confirmed() {
				s.send(x.prefix+k.String(), nil)
			}
		}
	case deletion:
		s.stage = idle
	}
	return nil
}

// until carries a round on up to a stage, all writes of which have arrived.
func (s *session) until(end stage) error {
	if err := s.begin(); err != nil {
		return err
	}
	for s.stage != idle {
		s.land(len(s.out), anywhere)
		if s.stage == end {
			return nil
		}
		if err := s.acknowledged(); err != nil {
			return err
		}
	}
	return s.sayRecreated()
}

// flush stores everything that was counted.
func (s *session) flush() error {
	for range 10 { // the first round of a generation writes no rows
		if err := s.until(idle); err != nil {
			return err
		}
		if s.idle() || s != s.w.current {
			return s.progress()
		}
	}
	return errors.New("a session does not come to an end of its flushes")
}

func (s *session) idle() bool {
	return s.stage == idle && !slices.ContainsFunc(s.list, func(x *source) bool { return !x.c.Idle() })
}

// settle counts and stores everything.
func (s *session) settle() error {
	for range 10 { // a source that is lost is flushed, begins anew, and is read
		if err := s.read(math.MaxInt); err != nil {
			return err
		}
		if err := s.flush(); err != nil {
			return err
		}
		if !slices.ContainsFunc(s.list, func(x *source) bool { _, gone := s.gone[x.Source]; return x.lost != nil && !gone }) {
			return nil
		}
	}
	return errors.New("a source stays lost")
}
