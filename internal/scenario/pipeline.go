package scenario

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// What happens to the pipeline that is audited.

// A declared topic is what the script says of a topic at every place.
type declared struct {
	name       string
	partitions int
	rule       codecs.Rule // as configured now; none if Codec is empty: JSON that nobody declared
	first      codecs.Rule // ... when there were no messages yet
	made       int         // messages
}

// budget bounds the messages that a script makes, over all.
const budget = 100_000

func (w *world) declareTier(a *args) error {
	name, dc := a.word(0), a.options["dc"]
	if strings.ContainsAny(name+dc, "/:.") {
		return a.fail("names of tiers and datacenters hold no slash, colon or dot")
	}
	if slices.ContainsFunc(w.places, func(p *place) bool { return p.tier == name && p.dc == dc }) {
		return a.fail("tier %s is declared twice", placeName(name, dc))
	}
	w.places = append(w.places, &place{tier: name, dc: dc, appends: a.options["stamps"] == "append", topics: map[string]*topic{}})
	w.noteTier(name)
	return nil
}

// place finds a place: a tier, or a tier and datacenter. The first one if none
// is asked for.
func (w *world) place(a *args, name string) (*place, error) {
	if len(w.places) == 0 {
		return nil, a.fail("no tier is declared; begin with: tier edge")
	}
	if name == "" {
		return w.places[0], nil
	}
	var found []*place
	var all []string
	for _, p := range w.places {
		if p.String() == name {
			return p, nil
		}
		if p.tier == name {
			found = append(found, p)
		}
		all = append(all, p.String())
	}
	if len(found) != 1 {
		return nil, a.fail("%q is none of the tiers; there are %s", name, strings.Join(all, ", "))
	}
	return found[0], nil
}

func (w *world) declareTopic(a *args) error {
	name := a.word(0)
	if strings.ContainsAny(name, "/:") {
		return a.fail("the name of a topic holds no slash or colon")
	}
	d := w.declared[name]
	if d == nil {
		d = w.declare(name)
	}
	if a.has("partitions") {
		for _, p := range w.places {
			if p.topics[name] != nil {
				return a.fail("topic %s is there already; write: partitions %s N", name, name)
			}
		}
	}
	d.partitions = a.number("partitions", d.partitions, 1, 64)
	switch codec := a.options["codec"]; codec {
	case "":
	case "undeclared":
		d.rule.Codec = ""
	default:
		d.rule.Codec = codec
	}
	d.rule.Past, d.rule.Future = a.duration("past", d.rule.Past), a.duration("future", d.rule.Future)
	if d.rule.Past < 0 || d.rule.Future < 0 {
		return a.fail("past and future are lengths of time: they are not negative")
	}
	if d.made == 0 {
		d.first = d.rule
	}
	return nil
}

func (w *world) declare(name string) *declared {
	d := &declared{name: name, partitions: 3, rule: codecs.Rule{Topics: ".*", Codec: "json"}}
	d.first = d.rule
	w.declared[name] = d
	w.noteTopic(name)
	return d
}

// topicAt finds a topic at a place, and makes it if need be.
func (w *world) topicAt(p *place, name string) *topic {
	if t := p.topics[name]; t != nil {
		return t
	}
	d := w.declared[name]
	if d == nil {
		d = w.declare(name)
	}
	return w.create(p, name, w.vary.partitions(d.partitions))
}

func (w *world) create(p *place, name string, partitions int) *topic {
	w.made++
	t := &topic{name: name, id: audit.TopicID{15: byte(w.made), 14: byte(w.made >> 8)}}
	t.grow(partitions)
	p.topics[name] = t
	return t
}

func (t *topic) grow(partitions int) {
	for len(t.partitions) < partitions {
		t.partitions = append(t.partitions, &log{})
	}
}

// produce writes messages with event times spread over a time.
func (w *world) produce(a *args) error {
	p, err := w.place(a, a.options["tier"])
	if err != nil {
		return err
	}
	t := w.topicAt(p, a.word(0))
	d := w.declared[t.name]
	n := a.number("n", 1, 1, 10_000)
	at, latency := a.times("at"), a.durations("latency")
	sent := span{-1, -1}
	if a.options["sent"] != "never" {
		sent = a.times("sent")
	}
	if a.has("sent") && a.has("latency") {
		return a.fail("sent and latency exclude each other: sent = at + latency")
	}
	size, keys, partition := a.number("size", 100, 60, 10_000), a.number("keys", 0, 1, 10_000), a.number("partition", -1, 0, 63)
	pick := picker{n: n}
	untimed, malformed, tombstones := pick.some(a, "untimed"), pick.some(a, "malformed"), pick.some(a, "tombstones")
	if a.err != nil {
		return a.err
	}
	if w.messages += n; w.messages > budget {
		return a.fail("more than %d messages in a script", budget)
	}
	var of *transaction
	if a.has("transaction") {
		of = &transaction{first: map[*log]int64{}}
	}
	now := w.clock
	for i := range n {
		d.made++
		event := at.before(i, n)
		m := codecs.Message{Key: fmt.Appendf(nil, "%s-%d", d.name, d.made), Time: event + latency.at(i, n), TimeType: codecs.CreateTime}
		if keys > 0 {
			m.Key = fmt.Appendf(nil, "%s-%d", d.name, d.made%keys)
		}
		switch {
		case tombstones[i]:
		case malformed[i]:
			m.Value = value(size-len(m.Key), d.made, `"yesterday"`)
		case untimed[i]:
			m.Value = value(size-len(m.Key), d.made, "null")
		default:
			m.Value = value(size-len(m.Key), d.made, strconv.FormatInt(event, 10))
		}
		if a.has("sent") {
			m.Time = sent.before(i, n)
		}
		w.clock = max(w.clock, m.Time)
		if p.appends {
			m.Time, m.TimeType = max(now, m.Time), codecs.LogAppendTime
		}
		if to := partition; to >= 0 {
			t.put(to%len(t.partitions), m, of)
		} else {
			t.put(t.partitionOf(m.Key), m, of)
		}
	}
	if of != nil {
		t.open = append(t.open, of)
		if how := a.options["transaction"]; how != "open" {
			t.finish(of, how == "abort")
		}
	}
	return nil
}

// value is a JSON object of a size, with an event time as written.
func value(size, id int, ts string) []byte {
	v := fmt.Appendf(nil, `{"id":%d,"ts":%s,"pad":"`, id, ts)
	v = append(v, bytes.Repeat([]byte{'x'}, max(1, size-len(v)-2))...)
	return append(v, `"}`...)
}

func (t *topic) partitionOf(key []byte) int {
	return int(audit.Hash(key, nil) % uint64(len(t.partitions)))
}

// end ends the open transactions of a topic.
func (w *world) end(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	if len(t.open) == 0 {
		return a.fail("no transaction of topic %s is open", t.name)
	}
	for _, x := range slices.Clone(t.open) {
		t.finish(x, a.word(1) == "abort")
	}
	return nil
}

// existing finds the topic that is the i-th word, at the place that tier= says.
func (w *world) existing(a *args, i int) (*place, *topic, error) {
	p, err := w.place(a, a.options["tier"])
	if err != nil {
		return nil, nil, err
	}
	t := p.topics[a.word(i)]
	if t == nil {
		return nil, nil, a.fail("there is no topic %q at tier %s; there are: %s", a.word(i), p, strings.Join(slices.Sorted(maps.Keys(p.topics)), ", "))
	}
	return p, t, nil
}

// A route is what one replicator copies.
type route struct {
	from *topic
	to   *place
}

// copy is a replicator: it carries on what it has not yet copied. A message
// keeps its timestamp, if the tier it comes to lets it.
func (w *world) copy(a *args) error {
	from, err := w.place(a, a.word(1))
	if err != nil {
		return err
	}
	to, err := w.place(a, a.word(3))
	if err != nil {
		return err
	}
	source := from.topics[a.word(0)]
	if source == nil || from == to {
		return a.fail("there is no topic %q at tier %s to be copied to %s", a.word(0), from, to)
	}
	at := w.copied[route{source, to}]
	n := a.number("n", budget, 1, budget)
	var batch []*entry
	for ; at < len(source.order) && len(batch) < n; at++ {
		e := source.order[at]
		if !e.gone && e.of != nil && !e.of.ended {
			break // not yet to be seen
		}
		if e.shown() {
			batch = append(batch, e)
		}
	}
	w.copied[route{source, to}] = at
	pick := picker{n: len(batch)}
	lost, altered, twice := pick.some(a, "lose"), pick.some(a, "alter"), pick.some(a, "duplicate")
	delay := a.duration("delay", 0)
	if a.err != nil {
		return a.err
	}
	if w.messages += 2 * len(batch); w.messages > budget {
		return a.fail("more than %d messages in a script", budget)
	}
	target := w.topicAt(to, source.name)
	now := w.clock
	arrive := func(e *entry, altered bool) {
		m := e.Message
		if altered {
			m.Value = alter(m.Value)
		}
		arrival := max(m.Time, 0) + delay.Milliseconds()
		w.clock = max(w.clock, arrival)
		m.TimeType = codecs.CreateTime
		if to.appends {
			m.Time, m.TimeType = max(now, arrival), codecs.LogAppendTime
		}
		target.put(target.partitionOf(m.Key), m, nil)
	}
	for i, e := range batch {
		if !lost[i] {
			arrive(e, altered[i])
		}
	}
	for i, e := range batch { // delivered once more, after all
		if twice[i] {
			arrive(e, false)
		}
	}
	return nil
}

// alter changes one byte and neither the size nor the event time.
func alter(v []byte) []byte {
	if len(v) < 3 {
		return []byte(`{}`)
	}
	v = bytes.Clone(v)
	v[len(v)-3]++ // the last of the padding
	return v
}

// A picker chooses among n messages; none is chosen twice.
type picker struct {
	n    int
	used map[int]bool
}

// some reads "5", which are spread over the n, or "11..15", counted from 1.
func (k *picker) some(a *args, name string) map[int]bool {
	chosen := map[int]bool{}
	text := a.options[name]
	if text == "" {
		return chosen
	}
	if k.used == nil {
		k.used = map[int]bool{}
	}
	first, last, isRange := strings.Cut(text, "..")
	low, err := strconv.Atoi(first)
	high := low
	if err == nil && isRange {
		high, err = strconv.Atoi(last)
	}
	free := k.n - len(k.used)
	switch {
	case err != nil || low < 0 || isRange && (low < 1 || high < low):
		a.wrong(name, "want a number, or a range such as 11..15")
	case isRange && high > k.n, !isRange && low > free:
		a.wrong(name, "there are %d messages, %d of them not chosen otherwise", k.n, free)
	case isRange:
		for i := low - 1; i < high; i++ {
			if k.used[i] {
				a.wrong(name, "message %d is chosen otherwise", i+1)
			}
			chosen[i], k.used[i] = true, true
		}
	default:
		for c := range low {
			i := (2*c + 1) * k.n / (2 * low)
			for k.used[i] {
				i = (i + 1) % k.n
			}
			chosen[i], k.used[i] = true, true
		}
	}
	return chosen
}

// retention drops the oldest messages, truncate the newest.
func (w *world) retention(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	held := t.held()
	t.retain(held[:a.number("drop", len(held), 0, len(held))])
	return a.err
}

func (w *world) truncate(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	held := t.held()
	t.cut(held[len(held)-a.number("drop", len(held), 0, len(held)):])
	return a.err
}

func (w *world) compact(a *args) error {
	_, t, err := w.existing(a, 0)
	if err == nil {
		t.compact()
	}
	return err
}

func (w *world) deleteTopic(a *args) error {
	p, t, err := w.existing(a, 0)
	if err == nil {
		delete(p.topics, t.name)
	}
	return err
}

func (w *world) recreate(a *args) error {
	p, t, err := w.existing(a, 0)
	if err == nil {
		w.create(p, t.name, len(t.partitions))
	}
	return err
}

func (w *world) addPartitions(a *args) error {
	_, t, err := w.existing(a, 0)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(a.word(1))
	if err != nil || n < 1 || n > 64 {
		return a.fail("%q: want the new number of partitions, at most 64", a.word(1))
	}
	if n <= len(t.partitions) && !w.vary.is(Repartition) {
		return a.fail("topic %s has %d partitions already", t.name, len(t.partitions))
	}
	t.grow(w.vary.partitions(n))
	return nil
}
