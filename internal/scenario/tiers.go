package scenario

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/codecs"
)

// A declared topic is what the script says of a topic at every place.
type declared struct {
	name       string
	partitions int
	rules      []codecs.Rule // as configured now; none: JSON that nobody declared
	first      []codecs.Rule // ... when there were no messages yet
	made       int           // messages
}

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
	if err := d.configure(a); err != nil {
		return err
	}
	if d.made == 0 {
		d.first = d.rules
	}
	return nil
}

// configure replaces the rules of a topic, or puts one before them that holds from a
// record timestamp on.
func (d *declared) configure(a *args) error {
	rule := codecs.Rule{Topics: ".*", Codecs: []string{"json"}}
	if len(d.rules) > 0 {
		rule = d.rules[0]
	}
	rule.From = time.Time{}
	undeclared := len(d.rules) == 0
	switch codec := a.options["codec"]; codec {
	case "":
	case "undeclared":
		undeclared = true
	default:
		rule.Codecs, undeclared = []string{codec}, false
	}
	rule.Past, rule.Future = a.duration("past", rule.Past), a.duration("future", rule.Future)
	if rule.Past < 0 || rule.Future < 0 {
		return a.fail("past and future are lengths of time: they are not negative")
	}
	switch {
	case a.has("from"):
		rule.From = time.UnixMilli(a.times("from").from).UTC()
		d.rules = append([]codecs.Rule{rule}, d.rules...)
	case undeclared:
		d.rules = nil
	default:
		d.rules = []codecs.Rule{rule}
	}
	return a.err
}

func (w *world) declare(name string) *declared {
	d := &declared{name: name, partitions: 3, rules: []codecs.Rule{{Topics: ".*", Codecs: []string{"json"}}}}
	d.first = d.rules
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
