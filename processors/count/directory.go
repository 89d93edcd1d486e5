package count

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// directory knows the sources of all clusters. New ones show up within a poll;
// nothing rejoins: the shards look here when it has changed. Safe for concurrent use.
type directory struct {
	shards int32
	log    *slog.Logger

	mu      sync.Mutex
	known   map[string]map[string]listedTopic // by cluster and topic
	byShard map[int32][]audit.Source
	polled  map[string]time.Time // by cluster: when the newest listing was asked for
	changed chan struct{}        // closed at each change, and replaced

	// Of what a cluster does not have; see absence.
	names  map[string]map[string]bool // by cluster: logical topics that the newest listing names, those too that it could not describe
	missed map[absence]bool           // topics that were counted and are not listed
	proofs map[string]proof           // by cluster
}

func newDirectory(n int32, log *slog.Logger) *directory {
	return &directory{shards: n, log: log, known: map[string]map[string]listedTopic{}, byShard: map[int32][]audit.Source{},
		polled: map[string]time.Time{}, changed: make(chan struct{}),
		names: map[string]map[string]bool{}, missed: map[absence]bool{}, proofs: map[string]proof{}}
}

// of lists the sources of a shard; changed is closed when the answer is no
// longer the newest.
func (d *directory) of(shard int32) (sources []audit.Source, changed <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.byShard[shard], d.changed
}

// topic is what is known of a topic.
func (d *directory) topic(cluster, topic string) (listedTopic, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.known[cluster][topic]
	return t, ok
}

// listing is what is known of a cluster, in the form that a start is decided on.
func (d *directory) listing(cluster string) map[string]int32 {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := map[string]int32{}
	for _, t := range d.known[cluster] {
		l[t.ID.String()] = t.Partitions
	}
	return l
}

// shardOf is the shard, of n, that counts a source: a hash of cluster, topic
// and partition, the same that places its rows in the table.
func shardOf(s audit.Source, n int32) int32 { return shards.PartitionOf(counter.SourcePrefix(s), n) }

// watch polls a cluster until ctx ends. A cluster that is away is asked again,
// and stops nobody else.
func (d *directory) watch(ctx context.Context, c *cluster, every time.Duration) {
	for {
		err := d.poll(c)
		pause := every
		if err != nil {
			pause = min(every, retryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// poll asks a cluster for its topics once.
func (d *directory) poll(c *cluster) error {
	begin := time.Now()
	found, all, err := c.list()
	switch {
	case err != nil:
		c.health.Down(fmt.Sprintf("%v; sources known so far are still counted once it is back", err))
	case all == 0 && d.had(c.Name):
		c.health.Degraded("the broker lists no topics at all any more: if that is not so, grant DESCRIBE on the audited topics")
	default:
		d.update(c.Name, found, begin)
		if err := d.prove(c, begin); err != nil {
			d.log.Debug("not known which topics are absent", "cluster", c.Name, "err", err)
		}
		c.health.OK()
	}
	return err
}

// asked is when the newest listing of a cluster was asked for.
func (d *directory) asked(cluster string) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.polled[cluster]
}

// complete says whether every cluster has been listed.
func (d *directory) complete(clusters map[string]*cluster) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.polled) == len(clusters)
}

func (d *directory) had(cluster string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.known[cluster]) > 0
}

// lists says whether the newest listing has a source.
func (d *directory) lists(s audit.Source) bool {
	t, ok := d.topic(s.Cluster, s.Topic)
	return ok && t.ID == s.TopicID && s.Partition < t.Partitions
}

// update takes a new listing of a cluster.
func (d *directory) update(cluster string, found map[string]listedTopic, asked time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if asked.Before(d.polled[cluster]) {
		return // overtaken by a newer one
	}
	now, first := merge(d.known[cluster], found), d.polled[cluster].IsZero()
	d.polled[cluster] = asked
	d.names[cluster] = make(map[string]bool, len(found))
	for _, t := range found {
		d.names[cluster][t.Logical] = true
	}
	if !first && maps.Equal(now, d.known[cluster]) {
		return
	}
	for name, t := range now {
		if old, ok := d.known[cluster][name]; !ok {
			d.log.Info("topic found", "cluster", cluster, "topic", name, "partitions", t.Partitions)
		} else if old != t {
			d.log.Info("topic changed", "cluster", cluster, "topic", name, "partitions", t.Partitions, "recreated", old.ID != t.ID)
		}
	}
	for name := range d.known[cluster] {
		if _, ok := now[name]; !ok {
			d.log.Info("topic gone", "cluster", cluster, "topic", name)
		}
	}
	d.known[cluster] = now
	d.byShard = map[int32][]audit.Source{}
	for cluster, topics := range d.known {
		for name, t := range topics {
			for p := range t.Partitions {
				src := audit.Source{Cluster: cluster, Topic: name, TopicID: t.ID, Partition: p}
				shard := shardOf(src, d.shards)
				d.byShard[shard] = append(d.byShard[shard], src)
			}
		}
	}
	close(d.changed)
	d.changed = make(chan struct{})
}

// merge is what is known after a listing. A topic that the broker could not
// describe stays as it was; partitions never become fewer under the same id.
func merge(known, found map[string]listedTopic) map[string]listedTopic {
	now := make(map[string]listedTopic, len(found))
	for name, t := range found {
		old, ok := known[name]
		switch {
		case t.Unsure && ok:
			t = old
		case t.Unsure:
			continue
		case ok && old.ID == t.ID:
			t.Partitions = max(t.Partitions, old.Partitions)
		}
		now[name] = t
	}
	return now
}
