package judge

import (
	"cmp"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// tier is what is known of a topic at a tier.
type tier struct {
	topic     *topic
	name      string
	clusters  map[string]*cluster // by name: those of the plan, and those that records speak of
	instances map[string]*instance
	originals bool                    // records of the original Chaperone have come
	doubts    map[string]compare.Span // by what has raised them
	sizes     map[int64]int64         // of windows, and when the newest of each begins
	floor     int64                   // until, as earlier sessions have said

	newest     int64 // start of the newest window with a message, Unix seconds
	newestPart map[int32]int64
}

func newTier(t *topic, name string) *tier {
	x := &tier{topic: t, name: name, clusters: map[string]*cluster{}, instances: map[string]*instance{}, doubts: map[string]compare.Span{}, sizes: map[int64]int64{}, newestPart: map[int32]int64{}}
	for _, c := range t.j.o.Plan.Clusters(name) {
		x.clusters[c.Name] = newCluster(c.Name, c.Datacenter)
	}
	return x
}

// doubt notes a doubt. One that is noted again is the same.
func (x *tier) doubt(key string, from, to int64, d compare.Doubt) {
	if old, ok := x.doubts[key]; ok && old.From == from && old.Messages == d.Messages {
		return
	}
	s := compare.Span{Tier: x.name, Key: key, From: from, To: to, Grace: x.topic.line.Grace.Milliseconds(), Doubt: d}
	x.doubts[key] = s
	x.topic.touched(s)
}

func (x *tier) forgive(key string) {
	if s, ok := x.doubts[key]; ok {
		delete(x.doubts, key)
		x.topic.touched(s)
	}
}

// here says whether the topic is, or was, at the tier.
func (x *tier) here() bool {
	if x.newest > 0 || len(x.instances) > 0 || x.originals {
		return true
	}
	for _, c := range x.clusters {
		if c.current != nil && !c.current.absent {
			return true
		}
	}
	return false
}

// unreported says whether nobody has said of a cluster whether it has the topic.
func (x *tier) unreported() bool {
	for _, c := range x.clusters {
		if c.current == nil {
			return true
		}
	}
	return false
}

// compacted says whether the topic is, as far as was said last.
func (x *tier) compacted() bool {
	for _, c := range x.clusters {
		if c.current != nil && c.current.compacted {
			return true
		}
	}
	return false
}

// expected says whether the topic should be there if it passes a tier before.
func (x *tier) expected() bool { return len(x.clusters) > 0 }

// until is the moment up to which the tier has been counted; 0: nobody knows.
func (x *tier) until() int64 {
	least := int64(1<<63 - 1)
	for _, c := range x.clusters {
		least = min(least, c.until())
	}
	for _, i := range x.instances {
		if i.counts() {
			least = min(least, i.until)
		}
	}
	if x.originals && len(x.clusters)+len(x.instances) == 0 {
		return 0 // nobody says how far they have counted
	}
	if least == 1<<63-1 { // all instances have said goodbye
		least = x.topic.j.now
	}
	return max(least, x.floor)
}

// holds are the sources that have not been counted up to a moment, the furthest behind
// first.
func (x *tier) holds(until int64) []compare.Hold {
	var list []compare.Hold
	if x.floor >= until {
		return nil
	}
	for _, name := range sortedKeys(x.clusters) {
		list = append(list, x.clusters[name].holds(until)...)
	}
	for _, name := range sortedKeys(x.instances) {
		if i := x.instances[name]; i.counts() && i.until < until {
			h := compare.Hold{Reason: compare.Uncounted, Until: i.until, Place: i.place()}
			if i.silent(x.topic.j.now) {
				h.Reason = compare.Vanished
			}
			list = append(list, h)
		}
	}
	if x.originals && len(list) == 0 && x.until() == 0 {
		list = append(list, compare.Hold{Reason: compare.Unreported, Place: compare.Place{First: -1, Last: -1}})
	}
	slices.SortStableFunc(list, func(a, b compare.Hold) int { return cmp.Compare(a.Until, b.Until) })
	return list[:min(len(list), compare.MostPlaces)]
}

// doubtsOf a window are those that touch it, and what has not been counted though it
// should have been.
func (x *tier) doubtsOf(w *window, threshold int64, overdue bool) []compare.Doubt {
	var list []compare.Doubt
	if len(x.doubts) > 0 {
		for _, key := range sortedKeys(x.doubts) {
			if s := x.doubts[key]; s.Touches(w.Window) {
				list = append(list, s.Doubt)
			}
		}
	}
	if overdue && x.until() < threshold {
		for _, h := range x.holds(threshold) {
			list = append(list, compare.Doubt{Reason: h.Reason, Place: h.Place, Bound: compare.Unbounded})
		}
	}
	if x.otherSize(w.Window) {
		list = append(list, compare.Doubt{Reason: compare.UnlikeSize, Bound: compare.Unbounded})
	}
	return list
}

// otherSize says whether the tier counts in windows of another size by now.
func (x *tier) otherSize(w audit.Window) bool {
	if len(x.sizes) < 2 && x.sizes[w.Size] > 0 || x.sizes[w.Size] >= w.Start {
		return false
	}
	for size, newest := range x.sizes {
		if size != w.Size && newest+size >= w.Start {
			return true
		}
	}
	return false
}

// counts notes that a source of the tier counts the topic.
func (x *tier) counts(r *audit.Record, said Said) {
	switch {
	case r.Original != nil:
		x.originals = true
		x.topic.begin(said, true)
	case r.Partition == audit.NoPartition: // one that has not said hello, or how far it has counted, is not known to have
		x.instance(r).hear(said)
	}
	if r.Tally.Count > 0 {
		x.counted(r.Window, r.Partition)
	}
}

// counted notes a part of a window that has messages.
func (x *tier) counted(w audit.Window, partition int32) {
	x.sizes[w.Size] = max(x.sizes[w.Size], w.Start)
	if w.Start*1000 > x.topic.j.now { // an event time that is wrong says nothing of how far the tier has come
		return
	}
	if w.Start > x.newest {
		x.newest = w.Start
		x.topic.stir()
	}
	if partition != audit.NoPartition && w.Start > x.newestPart[partition] {
		x.newestPart[partition] = w.Start
		x.topic.stir()
	}
}

func (x *tier) sweep(before int64) {
	for key, s := range x.doubts {
		if s.To < before {
			delete(x.doubts, key)
		}
	}
	for name, i := range x.instances {
		if i.heard < before {
			delete(x.instances, name)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
