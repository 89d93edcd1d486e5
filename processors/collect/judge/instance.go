package judge

import (
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// instance is an application process that counts the topic. It holds its tier up until it
// says how far it has counted, or goodbye; one that fell silent, until it is taken to be
// gone: then what it counted since it last spoke is not known.
type instance struct {
	tier             *tier
	name, datacenter string
	until            int64
	heard            int64
	every            int64 // the longest silence, milliseconds
	uncounted        uint64
	ended            bool // said goodbye
	gone             bool // taken to be
}

// counts says whether the instance may still be counting.
func (i *instance) counts() bool { return !i.ended && !i.gone }

// silences is how many of the longest silences make an instance silent.
const silences = 3

func (i *instance) silent(now int64) bool {
	return !i.ended && i.every > 0 && now-i.heard > silences*i.every
}

// since is a moment before which all that passed it has been counted for certain. An
// earlier session may have known better, but when it spoke last it had spoken before that,
// by less than a few of its longest silences.
func (i *instance) since() int64 { return max(i.until, i.heard-silences*i.every) }

func (i *instance) place() compare.Place {
	return compare.Place{Datacenter: i.datacenter, Instance: i.name, First: -1, Last: -1}
}

func (x *tier) instance(r *audit.Record) *instance {
	i := x.instances[r.Instance]
	if i == nil {
		i = &instance{tier: x, name: r.Instance, datacenter: r.Datacenter}
		x.instances[r.Instance] = i
	}
	return i
}

// hear notes that the instance speaks, so it is not gone.
func (i *instance) hear(said Said) {
	i.heard = max(i.heard, said.Appended)
	if i.gone {
		i.gone = false
		i.tier.forgive("gone/" + i.name)
	}
}

// progress says that all that passed the instance before a moment has been counted, and
// that its records have been sent before this one.
func (i *instance) progress(r *audit.Record, asked int64, said Said) {
	i.hear(said)
	i.until = max(i.until, asked)
	if c := r.Client; c != nil {
		i.every = max(0, c.Every)
		i.withheld(c.Uncounted, said)
	}
}

// withheld notes messages that passed the instance and are in no record.
func (i *instance) withheld(n uint64, said Said) {
	if n <= i.uncounted {
		return
	}
	i.uncounted = n
	i.tier.doubt("withheld/"+i.name, i.since()-i.tier.topic.j.o.Size*1000, said.Appended, compare.Doubt{
		Reason: compare.Withheld, Place: withMessages(i.place(), n), Bound: compare.AtMost,
	})
}

func withMessages(p compare.Place, n uint64) compare.Place { p.Messages = n; return p }

// greeted takes a hello or a goodbye.
func (t *topic) greeted(r *audit.Record, said Said) {
	t.hear(said)
	x := t.tier(r.Tier)
	if x == nil || r.Client == nil {
		return
	}
	i := x.instance(r)
	t.begin(said, true)
	switch r.Kind {
	case audit.KindHello:
		i.hear(said)
		if i.every = max(i.every, r.Client.Every); i.until == 0 { // it began before it could say so, by less than its longest silence
			i.until = said.Appended - i.every
		}
	case audit.KindGoodbye:
		i.hear(said)
		i.ended = true
		i.withheld(r.Client.Uncounted, said)
	}
	t.stir()
}

// bury gives up instances that have been silent for so long that they are taken to be
// gone. What they may have counted since they last spoke touches the windows from then on
// until they would have spoken again.
func (x *tier) bury(now int64) {
	if len(x.instances) == 0 {
		return
	}
	for _, name := range sortedKeys(x.instances) {
		i := x.instances[name]
		if i.gone || !i.silent(now) || now-i.heard < x.topic.line.GoneAfter.Milliseconds() {
			continue
		}
		i.gone = true
		if key := "gone/" + i.name; x.doubts[key].Key == "" { // an earlier session knew more of it
			x.doubt(key, i.since(), i.heard+i.every, compare.Doubt{Reason: compare.Vanished, Place: i.place(), Bound: compare.Unbounded})
		}
	}
}
