package count

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/chaperone-audit/chaperone/audit"
)

// That nothing is counted of a topic at a cluster may mean that the cluster does not
// have it, or that nobody has looked. So the first is said, see audit.Record.Absent,
// where another cluster has the topic or it was counted at this one. A listing is no
// proof, since it leaves out what a client may not describe: the cluster is asked for
// the topic by its name, and only "there is none" is an answer. A topic that would be
// renamed there may have many names, and is asked for by that which records give it: who
// renames must let us describe all topics.

// An absence is a topic that a cluster does not have: none that has the name that it
// was asked for, and none that is called so in records.
type absence struct{ cluster, topic, name string }

// proof is which of the topics that were asked for a cluster does not have.
type proof struct {
	asked  time.Time // when the listing was asked for that came before
	absent []absence
}

// absent are the absences that this instance has to state, and when they were asked
// for: those of its shards. The shard of a topic is that of its first partition,
// which has the entries of it if it was counted.
func (p *Processor) absent() map[progressKey]time.Time {
	owners, missed := map[int32]string{}, map[absence]bool{}
	for _, s := range p.claimed() {
		owners[s.claim.Partition] = s.claim.Owner
		for _, src := range s.unlisted() {
			if src.Partition == 0 && !s.buried(src) {
				missed[absence{src.Cluster, s.p.clusters[src.Cluster].logical(src.Topic), src.Topic}] = true
			}
		}
	}
	said := map[progressKey]time.Time{}
	for a, asked := range p.dir.absent(missed) {
		if owner, ours := owners[shardOf(audit.Source{Cluster: a.cluster, Topic: a.name}, p.o.Topology.Shards)]; ours {
			said[progressKey{owner: owner, cluster: a.cluster, topic: a.topic}] = asked
		}
	}
	return said
}

// absent are all absences that are proven, and when they were asked for. Topics that
// are missed are asked for by the next poll.
func (d *directory) absent(missed map[absence]bool) map[absence]time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.missed = missed
	all := map[absence]time.Time{}
	for _, p := range d.proofs {
		for _, a := range p.absent {
			if d.doubtful(a) {
				all[a] = p.asked
			}
		}
	}
	return all
}

// doubtful says whether a cluster does not list a topic that is known otherwise.
func (d *directory) doubtful(a absence) bool {
	if d.names[a.cluster][a.topic] {
		return false
	}
	if d.missed[a] {
		return true
	}
	for _, names := range d.names {
		if names[a.topic] {
			return a.name == a.topic
		}
	}
	return false
}

// prove asks a cluster for the topics that its newest listing, asked for at a moment,
// does not name and should.
func (d *directory) prove(c *cluster, asked time.Time) error {
	d.mu.Lock()
	doubts := map[absence]bool{}
	for _, names := range d.names {
		for topic := range names {
			doubts[absence{c.Name, topic, topic}] = true
		}
	}
	maps.Copy(doubts, d.missed)
	maps.DeleteFunc(doubts, func(a absence, _ bool) bool { return a.cluster != c.Name || !d.doubtful(a) })
	d.mu.Unlock()
	names := map[string]bool{}
	for a := range doubts {
		if c.Audited(a.name) {
			names[a.name] = true
		}
	}
	none, err := c.without(slices.Collect(maps.Keys(names)))
	if err != nil {
		return err
	}
	absent := slices.DeleteFunc(slices.Collect(maps.Keys(doubts)), func(a absence) bool { return !none[a.name] })
	d.mu.Lock()
	defer d.mu.Unlock()
	if !asked.Before(d.proofs[c.Name].asked) {
		d.proofs[c.Name] = proof{asked, absent}
	}
	return nil
}

// without says which of the topics, by their names on it, the cluster does not have.
func (c *cluster) without(topics []string) (none map[string]bool, err error) {
	none = map[string]bool{}
	if len(topics) == 0 {
		return none, nil
	}
	client, b, err := c.broker()
	if err != nil {
		return nil, err
	}
	for names := range slices.Chunk(topics, mostTopics) {
		r, err := b.GetMetadata(sarama.NewMetadataRequest(client.Config().Version, names))
		if err != nil {
			_ = b.Close() // a dead connection is opened anew
			return nil, fmt.Errorf("cluster %s: ask %s for topics by name: %w", c.Name, b.Addr(), err)
		}
		for _, t := range r.Topics {
			if t.Err == sarama.ErrUnknownTopicOrPartition {
				none[t.Name] = true
			}
		}
	}
	return none, nil
}
