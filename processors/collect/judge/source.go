package judge

import (
	"math"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
)

// cluster is what is known of a topic on a Kafka cluster.
type cluster struct {
	name, datacenter string
	logs             map[audit.TopicID]*logs
	current          *logs // the incarnation that was last told of; nil: nobody has
}

// logs are the partitions of one incarnation of a topic, or say that there is none.
type logs struct {
	id         audit.TopicID
	absent     bool  // the cluster does not have the topic
	asked      int64 // when there were so many partitions, or none: others have nothing from before
	partitions int32
	compacted  bool
	sources    map[int32]*source
}

// source is a partition: how far it has been counted.
type source struct {
	until      int64
	base       int64 // from which generation on it counts
	generation int64
	end, at    int64 // counted up to end means counted until at; at is 0 if nothing is waited for
	open       bool  // counted up to the last stable offset, and the log goes on behind it
}

func newCluster(name, datacenter string) *cluster {
	return &cluster{name: name, datacenter: datacenter, logs: map[audit.TopicID]*logs{}}
}

func (l *logs) source(partition int32) *source {
	s := l.sources[partition]
	if s == nil {
		s = &source{}
		l.sources[partition] = s
	}
	return s
}

// until is the moment up to which the topic has been counted on the cluster.
func (c *cluster) until() int64 {
	switch l := c.current; {
	case l == nil:
		return 0
	case l.absent:
		return l.asked
	default:
		least := int64(1<<63 - 1)
		for p := range l.partitions {
			if s := l.sources[p]; s == nil {
				return 0
			} else {
				least = min(least, s.until)
			}
		}
		return least
	}
}

func (c *cluster) holds(until int64) (list []compare.Hold) {
	at := compare.Place{Datacenter: c.datacenter, Cluster: c.name, First: -1, Last: -1}
	l := c.current
	switch {
	case l == nil || l.absent && l.asked == 0:
		return []compare.Hold{{Reason: compare.Unreported, Place: at}}
	case l.absent:
		if l.asked < until {
			list = append(list, compare.Hold{Reason: compare.Unreported, Until: l.asked, Place: at})
		}
		return list
	}
	for p := range l.partitions {
		s := l.sources[p]
		h := compare.Hold{Reason: compare.Unreported, Place: at}
		h.Partition = &p
		if s != nil {
			if s.until >= until {
				continue
			}
			h.Until, h.Reason = s.until, compare.Uncounted
			if s.open {
				h.Reason = compare.OpenTx
			}
		}
		list = append(list, h)
	}
	return list
}

// progress takes what an owner says of a partition, given a moment before which it
// asked for the ends; 0: nobody knows when.
//
// All that was appended to the log before the ends were asked for lies before the end of
// the log, which is behind the last stable offset while a transaction is open. So when
// the ledger comes to that end, now or later, all of it is counted. While messages keep
// coming it never comes to the newest end; therefore one is remembered until it does.
func (s *source) progress(p *audit.SourceProgress, asked int64) {
	if p.Base > s.base {
		*s = source{base: p.Base} // counted anew from its start
	}
	if p.Generation < s.base {
		return
	}
	if p.Generation != s.generation {
		s.generation, s.at = p.Generation, 0 // of another log, perhaps
	}
	end := max(p.End, p.HighWatermark)
	known := p.End >= 0 && p.HighWatermark >= 0
	s.open = known && p.Next >= p.End && p.Next < end
	if s.at > 0 && p.Next >= s.end {
		s.until, s.at = max(s.until, s.at), 0
	}
	switch {
	case asked == 0 || !known:
	case p.Next >= end:
		s.until, s.at = max(s.until, asked), 0
	case s.at == 0:
		s.end, s.at = end, asked
	}
}

// owner is who makes progress records of one identity.
type owner struct {
	heard int64
	acks  []ack // oldest first
}

type ack struct{ version, appended int64 }

const mostAcks = 16

// asked is when the newest record, of those that an owner names or older ones, was
// appended; 0: nobody knows. All that it says is as of a later moment.
//
// A broker whose clock is ahead for a while makes one younger than those that follow: then
// it is as old as they are.
func (o *owner) asked(version int64) (at int64) {
	oldest := int64(math.MaxInt64)
	for _, a := range slices.Backward(o.acks) {
		if oldest = min(oldest, a.appended); a.version <= version {
			at = max(at, oldest)
		}
	}
	return at
}

// heardOf notes a record. A repetition says nothing new: that it was acknowledged is
// known since the first one.
func (o *owner) heardOf(version, appended int64) {
	o.heard = max(o.heard, appended)
	for _, a := range o.acks {
		if a.version == version {
			return
		}
	}
	if o.acks = append(o.acks, ack{version, appended}); len(o.acks) > mostAcks {
		o.acks = o.acks[1:]
	}
}

// logsOf finds the partitions that a record tells of.
func (x *tier) logsOf(r *audit.Record) *logs {
	c := x.clusters[r.Cluster]
	if c == nil {
		c = newCluster(r.Cluster, r.Datacenter)
		x.clusters[r.Cluster] = c
	}
	l := c.logs[r.TopicID]
	if l == nil {
		l = &logs{id: r.TopicID, sources: map[int32]*source{}}
		c.logs[r.TopicID] = l
	}
	return l
}

// progress takes a progress record.
func (t *topic) progress(r *audit.Record, said Said) {
	t.hear(said)
	x := t.tier(r.Tier)
	if x == nil {
		return
	}
	id := r.IdentityKey()
	o := t.owners[id]
	if o == nil {
		o = &owner{}
		t.owners[id] = o
	}
	asked := o.asked(r.Progress.AskedAfter)
	o.heardOf(r.Version, said.Appended)
	before := t.until()
	switch list := r.Progress.Sources; {
	case len(list) == 1 && list[0].Partition == audit.NoPartition:
		t.begin(said, true)
		x.instance(r).progress(r, asked, said)
	case r.Instance != "" && r.Client != nil:
	default:
		t.begin(said, !slices.ContainsFunc(list, func(p audit.SourceProgress) bool { return p.Start > 0 }))
		x.partitions(r, asked, said)
	}
	if t.until() != before || t.j.now-t.looked > again.Milliseconds() {
		t.stir()
	}
}

// partitions takes progress of partitions, or the statement that there are none.
func (x *tier) partitions(r *audit.Record, asked int64, said Said) {
	l := x.logsOf(r)
	c := x.clusters[r.Cluster]
	l.absent = r.Progress.Partitions == 0 && len(r.Progress.Sources) == 0
	// Who was paused, or is behind, tells of what was before.
	if old := c.current; old == nil || old != l && asked > old.asked && (l.absent || there(r.Progress)) {
		c.current = l
		if old != nil && old.absent {
			l.asked = max(l.asked, old.asked)
		}
		if old != nil && !old.absent && l.absent { // deleted; of one that is made again count says so itself
			x.doubt("deleted/"+c.name+"/"+old.id.String(), max(c.untilOf(old), x.floor), said.Appended, compare.Doubt{
				Reason: compare.Missed, Bound: compare.Unbounded, Detail: "deleted",
				Place: compare.Place{Datacenter: c.datacenter, Cluster: c.name, First: -1, Last: -1},
			})
		}
	}
	for ; l.partitions < r.Progress.Partitions; l.partitions++ {
		s := l.source(l.partitions)
		s.until = max(s.until, l.asked)
	}
	if r.Progress.Partitions == l.partitions {
		l.asked = max(l.asked, asked)
	}
	l.compacted = r.Progress.Compacted
	for i := range r.Progress.Sources {
		p := &r.Progress.Sources[i]
		l.source(p.Partition).progress(p, asked)
	}
}

// there says whether progress proves that its topic was there when it was made: a cluster
// does not know the ends of what was deleted.
func there(p *audit.Progress) bool {
	return slices.ContainsFunc(p.Sources, func(s audit.SourceProgress) bool { return s.End >= 0 || s.HighWatermark >= 0 })
}

func (c *cluster) untilOf(l *logs) int64 {
	other := cluster{current: l}
	return other.until()
}
