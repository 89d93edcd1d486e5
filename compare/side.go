package compare

import (
	"cmp"
	"slices"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Side is what a tier has counted in a window.
type Side struct {
	Tier   string
	Parts  []Part
	Doubts []Doubt
	// Compacted says that what is counted of the topic here depends on when it is read.
	Compacted bool
	// Newest is the start of the newest window in which the tier has a message, Unix
	// seconds, by partition too where it has partitions; 0 none.
	Newest       int64
	NewestByPart map[int32]int64
}

// A Part is what one source has counted: a partition of a topic on a cluster, or an
// application instance. There may be several of one source, one for each generation and
// segment.
type Part struct {
	Datacenter string
	Cluster    string
	Partition  int32 // audit.NoPartition of an instance
	Instance   string

	Sum
	Bytes, NoTime, Malformed, OutOfBounds uint64
	Attempts, Failures                    uint64 // of an instance
	First, Last                           int64  // offsets; -1 where there are none
	Latency, Arrival                      *audit.Latency

	Basis    string // what event times are read from: audit.BasisPayload, ...
	Digest   string // of the codec and its settings; empty of an instance
	Original bool   // a record of the original Chaperone
}

// A Sum is a multiset of messages, as far as sums tell. It adds up.
type Sum struct {
	Count       uint64
	Fingerprint uint64
	IDs         audit.PowerSums // of messages
	Moments     audit.PowerSums // of their keys and event times

	Unprinted bool // a part has no Fingerprint
	Unnamed   bool // ... or no IDs
	Untimed   bool // ... or no Moments
}

// Add adds another sum.
func (s *Sum) Add(o *Sum) {
	s.Count += o.Count
	s.Fingerprint += o.Fingerprint
	s.IDs.Merge(&o.IDs)
	s.Moments.Merge(&o.Moments)
	if o.Count > 0 { // nothing lacks nothing
		s.Unprinted = s.Unprinted || o.Unprinted
		s.Unnamed = s.Unnamed || o.Unnamed
		s.Untimed = s.Untimed || o.Untimed
	}
}

// SumOf is the sum of a tally, given how its messages were hashed.
func SumOf(t *audit.Tally, mode string) Sum {
	s := Sum{Count: t.Count, Fingerprint: t.Fingerprint, IDs: t.PowerSums, Moments: t.Moments}
	s.Unprinted = mode != audit.FingerprintMode && mode != audit.SumMode
	s.Unnamed = mode != audit.FingerprintMode
	s.Untimed = t.Moments == audit.PowerSums{} // those of a program that keeps none
	return s
}

// A Doubt is a reason for which more messages may have passed than a side has.
type Doubt struct {
	Reason Reason `json:"reason"`
	Place
	Bound  Bound  `json:"bound,omitempty"` // of Place.Messages: AtMost or Unbounded
	Detail string `json:"detail,omitempty"`
}

// sum of all parts.
func (s *Side) sum() (all Sum) {
	for i := range s.Parts {
		all.Add(&s.Parts[i].Sum)
	}
	return all
}

// unseen is how many messages may have passed that nobody has counted; known is false
// if there is no bound.
func (s *Side) unseen() (most uint64, known bool) {
	for i := range s.Doubts {
		if s.Doubts[i].Bound != AtMost {
			return 0, false
		}
		most += s.Doubts[i].Messages
	}
	return most, true
}

// unacknowledged is how many messages instances have sent of which they do not know
// what became.
func (s *Side) unacknowledged() (n uint64) {
	for i := range s.Parts {
		if p := &s.Parts[i]; p.Attempts > p.Count {
			n += p.Attempts - p.Count
		}
	}
	return n
}

// count is the side as a verdict has it.
func (s *Side) count(counted bool) Count {
	c := Count{Tier: s.Tier, Counted: counted}
	var sum Sum
	for i := range s.Parts {
		p := &s.Parts[i]
		sum.Add(&p.Sum)
		c.Bytes += p.Bytes
		c.NoTime += p.NoTime
		c.Malformed += p.Malformed
		c.OutOfBounds += p.OutOfBounds
		c.Attempts += p.Attempts
		c.Failures += p.Failures
	}
	c.Messages, c.Sources = sum.Count, s.sources()
	if !sum.Unprinted && sum.Count > 0 {
		c.Fingerprint = MessageID{ID: sum.Fingerprint}.String()
	}
	c.Latency = s.percentiles(func(p *Part) *audit.Latency { return p.Latency })
	c.Arrival = s.percentiles(func(p *Part) *audit.Latency { return p.Arrival })
	c.Datacenters = s.datacenters()
	return c
}

// sources is how many there are.
func (s *Side) sources() int {
	if len(s.Parts) == 1 && !s.Parts[0].Original {
		return 1
	}
	type source struct {
		datacenter, cluster, instance string
		partition                     int32
	}
	seen := map[source]bool{}
	for i := range s.Parts {
		if p := &s.Parts[i]; !p.Original {
			seen[source{p.Datacenter, p.Cluster, p.Instance, p.Partition}] = true
		}
	}
	return len(seen)
}

// percentiles of all parts together. Those of several parts are merged as bins: a
// percentile of percentiles is none.
func (s *Side) percentiles(of func(*Part) *audit.Latency) *Percentiles {
	if len(s.Parts) == 1 {
		if l := of(&s.Parts[0]); l != nil {
			return PercentilesOf(l)
		}
		return nil
	}
	var all audit.Latency
	for i := range s.Parts {
		if l := of(&s.Parts[i]); l != nil {
			all.Merge(l)
		}
	}
	return PercentilesOf(&all)
}

// datacenters has the messages of each, if there are several.
func (s *Side) datacenters() (list []Datacenter) {
	for i := range s.Parts {
		p := &s.Parts[i]
		k := slices.IndexFunc(list, func(d Datacenter) bool { return d.Name == p.Datacenter })
		if k < 0 {
			list = append(list, Datacenter{Name: p.Datacenter})
			k = len(list) - 1
		}
		list[k].Messages += p.Count
	}
	if len(list) < 2 {
		return nil
	}
	slices.SortFunc(list, func(a, b Datacenter) int { return cmp.Compare(a.Name, b.Name) })
	return list
}
