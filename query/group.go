package query

import (
	"cmp"
	"iter"
	"maps"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// Group answers a question from records. It is pure, and the measure for every
// other way to answer: a store's SQL has to say the same.
//
// The records may be of any kind, topic and version, in any order, repeated,
// and written by several owners. Of each identity the highest version counts;
// a generation below the base of its source does not. A base is believed from
// any record of the source, inside the time asked for or not, progress records
// included: so give Group all that is held of the topic.
func Group(q Windows, records iter.Seq[*audit.Record]) []Row {
	q.By = slices.Clone(q.By)
	if slices.Contains(q.By, ByPartition) {
		q.By = append(q.By, ByCluster)
	}
	groups := map[rowKey]*group{}
	for r := range newest(records, func(r *audit.Record) bool { return r.Topic == q.Topic }, q.wants) {
		k := q.keyOf(r)
		g := groups[k]
		if g == nil {
			g = newGroup(q.Topic, k)
			groups[k] = g
		}
		g.add(r)
	}
	rows := make([]Row, 0, len(groups))
	for _, g := range groups {
		rows = append(rows, g.row())
	}
	slices.SortFunc(rows, compareRows)
	return rows
}

// GroupTopics lists the topics that have windows in [from, to), from records as
// Group takes them.
func GroupTopics(from, to int64, records iter.Seq[*audit.Record]) []Topic {
	type held struct {
		Topic
		tiers, clusters map[string]bool
	}
	topics := map[string]*held{}
	all := func(*audit.Record) bool { return true }
	for r := range newest(records, all, func(r *audit.Record) bool { return r.Start >= from && r.Start < to }) {
		t := topics[r.Topic]
		if t == nil {
			t = &held{Topic: Topic{Name: r.Topic, First: r.Start, Last: r.Start}, tiers: map[string]bool{}, clusters: map[string]bool{}}
			topics[r.Topic] = t
		}
		t.tiers[r.Tier] = true
		if r.Cluster != "" {
			t.clusters[r.Cluster] = true
		}
		t.First, t.Last = min(t.First, r.Start), max(t.Last, r.Start)
		t.Messages += r.Tally.Count
	}
	list := make([]Topic, 0, len(topics))
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		t := topics[name]
		t.Tiers, t.Clusters = slices.Sorted(maps.Keys(t.tiers)), slices.Sorted(maps.Keys(t.clusters))
		list = append(list, t.Topic)
	}
	return list
}

// identity is what records replace each other by.
type identity struct {
	audit.Identity
	original string // the uuid of an original record, which is a source of its own
}

// A source is what a base belongs to.
type source struct {
	audit.Source
	tier, datacenter, instance string
}

func sourceOf(r *audit.Record) source {
	return source{Source: r.Source(), tier: r.Tier, datacenter: r.Datacenter, instance: r.Instance}
}

// bases holds, per source, the generation from which generations count.
type bases map[source]int64

func (b bases) learn(r *audit.Record) {
	if r.Base > 0 {
		b[sourceOf(r)] = max(b[sourceOf(r)], r.Base)
	}
	if r.Kind != audit.KindProgress || r.Progress == nil {
		return
	}
	for _, p := range r.Progress.Sources {
		if p.Base > 0 {
			s := source{Source: r.Source(), tier: r.Tier, datacenter: r.Datacenter}
			s.Partition = p.Partition
			b[s] = max(b[s], p.Base)
		}
	}
}

func (b bases) supersede(r *audit.Record) bool {
	base := b[sourceOf(r)]
	return base > 0 && r.Generation < base
}

// newest yields the window records that count: the highest version of each
// identity that is wanted, without superseded generations. Records that are not
// about say nothing of a base either.
func newest(records iter.Seq[*audit.Record], about, wanted func(*audit.Record) bool) iter.Seq[*audit.Record] {
	return func(yield func(*audit.Record) bool) {
		best := map[identity]*audit.Record{}
		from := bases{}
		for r := range records {
			if !about(r) {
				continue
			}
			from.learn(r)
			if r.Kind != audit.KindWindow || r.Tally == nil || !wanted(r) {
				continue
			}
			id := identity{Identity: r.Identity}
			if r.Original != nil {
				id.original = r.Original.UUID
			}
			if old := best[id]; old == nil || r.Version > old.Version {
				best[id] = r
			}
		}
		for _, r := range best {
			if !from.supersede(r) && !yield(r) {
				return
			}
		}
	}
}

func (q *Windows) wants(r *audit.Record) bool {
	return r.Start >= q.From && r.Start < q.To &&
		(q.Tier == "" || q.Tier == r.Tier) &&
		(q.Datacenter == "" || q.Datacenter == r.Datacenter) &&
		(q.Cluster == "" || q.Cluster == r.Cluster) &&
		(q.Partition == nil || *q.Partition == r.Partition)
}

// rowKey is what rows are told apart by.
type rowKey struct {
	audit.Window
	tier, datacenter, cluster string
	partition                 int32
	byPartition               bool
}

func (q *Windows) keyOf(r *audit.Record) rowKey {
	k := rowKey{Window: r.Window, tier: r.Tier}
	for _, d := range q.By {
		switch d {
		case ByDatacenter:
			k.datacenter = r.Datacenter
		case ByCluster:
			k.cluster = r.Cluster
		case ByPartition:
			k.partition, k.byPartition = r.Partition, true
		}
	}
	return k
}

// group is a row in the making.
type group struct {
	Row
	sources map[source]bool
}

func newGroup(topic string, k rowKey) *group {
	g := &group{sources: map[source]bool{}, Row: Row{
		Topic: topic, Window: k.Window, Tier: k.tier, Datacenter: k.datacenter, Cluster: k.cluster, First: -1, Last: -1,
	}}
	if k.byPartition && k.partition != audit.NoPartition {
		g.Partition = &k.partition
	}
	return g
}

func (g *group) add(r *audit.Record) {
	t := r.Tally
	g.Tally.Merge(&t.Tally)
	if t.Arrival != nil {
		g.Arrival.Merge(t.Arrival)
	}
	g.Partial = g.Partial || t.Partial
	if r.Original != nil {
		g.Originals++
	} else {
		g.sources[sourceOf(r)] = true
	}
	if g.Partition == nil {
		return
	}
	if t.First >= 0 && (g.First < 0 || t.First < g.First) {
		g.First = t.First
	}
	g.Last = max(g.Last, t.Last)
}

func (g *group) row() Row {
	g.Sources = len(g.sources)
	return g.Row
}

func compareRows(a, b Row) int {
	return cmp.Or(
		cmp.Compare(a.Start, b.Start),
		cmp.Compare(a.Size, b.Size),
		cmp.Compare(a.Tier, b.Tier),
		cmp.Compare(a.Datacenter, b.Datacenter),
		cmp.Compare(a.Cluster, b.Cluster),
		cmp.Compare(partitionOf(a), partitionOf(b)),
	)
}

func partitionOf(r Row) int32 {
	if r.Partition == nil {
		return audit.NoPartition
	}
	return *r.Partition
}
