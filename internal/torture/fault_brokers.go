package torture

import (
	"context"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

var brokerFaults = []*Fault{
	{Name: "broker-killed", What: "a broker of the audit cluster is killed, and comes back after a while", lane: brokers, least: 4 * time.Second, share: 0.05, needs: anywhere, inject: brokerKilled},
	{Name: "broker-paused", What: "a broker of the audit cluster hangs, and wakes up", lane: brokers, least: 5 * time.Second, needs: needsApache, inject: brokerPaused},
	{Name: "leaders-moved", What: "partitions of chaperone's own topics and of audited ones get another leader", lane: brokers, least: time.Second, needs: needsThree, inject: leadersMoved},
	{Name: "unclean-election", What: "acknowledged messages are lost by an unclean election", lane: brokers, least: time.Second, cuts: true, needs: needsThreeAndTime, inject: uncleanElection},
	{Name: "source-away", What: "a whole source cluster is killed, and comes back after a while", lane: brokers, least: 6 * time.Second, share: 0.15, needs: anywhere, inject: sourceAway},
}

// heal brings a broker back, also if the run has ended meanwhile. It is not hurried:
// a broker that does not answer in time is killed again.
func (i *injection) heal(start func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(i.ctx), patience)
	defer cancel()
	return start(ctx)
}

func brokerKilled(i *injection) error {
	c := i.w.clusters[home]
	node := i.rng.IntN(c.Nodes())
	i.w.say("broker %d of %s is killed for %s", node, home, i.hold.Round(time.Millisecond))
	if err := c.Node(node).Kill(); err != nil {
		return err
	}
	i.wait(i.hold)
	return i.heal(c.Node(node).Start)
}

func needsApache(w *world) string {
	if w.o.Kafka != Apache {
		return "it takes Apache Kafka"
	}
	return ""
}

func brokerPaused(i *injection) error {
	c := i.w.clusters[home]
	node := i.rng.IntN(c.Nodes())
	i.w.say("broker %d of %s hangs for %s", node, home, i.hold.Round(time.Millisecond))
	if err := c.Node(node).Pause(); err != nil {
		return err
	}
	i.wait(i.hold)
	return c.Node(node).Resume()
}

func needsThree(w *world) string {
	if w.clusters[home].Nodes() < 3 {
		return "it takes three brokers"
	}
	return ""
}

// uncleanTakes is how long an election may take, with two brokers away in turns.
const uncleanTakes = 2 * time.Minute

func needsThreeAndTime(w *world) string {
	if why := needsThree(w); why != "" {
		return why
	}
	if w.o.Time < uncleanTakes {
		return "it takes a run of " + uncleanTakes.String() + " at least"
	}
	return ""
}

// unnoticedAfter is how long it may take to be said that a log was cut.
const unnoticedAfter = 20 * time.Second

// uncountedAfter is how long messages that will be lost may take to be counted.
const uncountedAfter = 10 * time.Second

func leadersMoved(i *injection) error {
	w, c := i.w, i.w.clusters[home]
	list := []string{string(w.topology.AuditTopic()), string(w.topology.CountTable()), string(w.topology.CollectTable()), w.topicName("orders")}
	w.say("leaders of %v move", list)
	return i.persist(nil, func(ctx context.Context) error {
		for _, name := range list {
			partition := i.rng.IntN(2)
			leader, _, err := c.Leader(ctx, name, partition)
			if err != nil {
				return err
			}
			if err := c.MoveLeader(ctx, name, partition, (leader+1)%c.Nodes()); err != nil {
				return err
			}
		}
		return nil
	})
}

// uncleanElection loses messages that were acknowledged and may have been counted.
func uncleanElection(i *injection) error {
	w, name := i.w, i.w.topicName("shaky")
	w.say("an unclean election loses the end of %s/0", name)
	w.traffic.pause(home, name)
	defer w.traffic.resume(home, name, 1, i.rng.Uint64())
	src := audit.Source{Cluster: home, Topic: name, TopicID: w.traffic.id(home, name)}
	var done cut
	ctx, cancel := context.WithTimeout(context.WithoutCancel(i.ctx), uncleanTakes)
	defer cancel()
	err := w.clusters[home].ElectUnclean(ctx, name, 0, func(context.Context) error {
		if log := w.truth.log(src); len(log) > 0 {
			done.from = log[len(log)-1].offset + 1
		}
		before := w.said.upTo(src) // a cut before this one may have taken more
		for _, t := range w.traffic.list() {
			if t.name == name {
				w.traffic.burst(t, 0, 50, i.rng.Uint64())
			}
		}
		// Mostly some of them are counted before they are lost.
		for end := time.Now().Add(uncountedAfter); !done.counted && time.Now().Before(end) && i.ctx.Err() == nil; {
			i.wait(100 * time.Millisecond)
			up := w.said.upTo(src)
			done.counted = up > before && up >= done.from
		}
		return nil
	})
	done.before = w.truth.cut(src, done.from)
	w.mu.Lock()
	w.cuts[src.String()] = append(w.cuts[src.String()], done)
	w.mu.Unlock()
	for end := time.Now().Add(unnoticedAfter); done.counted && w.cutsAreSeen() && time.Now().Before(end) && !slices.Contains(w.said.cutsOf(src), done.from); {
		i.wait(100 * time.Millisecond)
		if i.ctx.Err() != nil {
			break
		}
	}
	return err
}

func sourceAway(i *injection) error {
	c := i.w.clusters[away]
	i.w.say("cluster %s is away for %s", away, i.hold.Round(time.Millisecond))
	if err := c.Kill(); err != nil {
		return err
	}
	i.wait(i.hold)
	return i.heal(c.Resume)
}
