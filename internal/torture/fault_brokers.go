package torture

import (
	"context"
	"time"
)

var brokerFaults = []*Fault{
	{Name: "broker-killed", What: "a broker of the audit cluster is killed, and comes back after a while", lane: brokers, least: 4 * time.Second, share: 0.05, needs: anywhere, inject: brokerKilled},
	{Name: "broker-paused", What: "a broker of the audit cluster hangs, and wakes up", lane: brokers, least: 5 * time.Second, needs: needsApache, inject: brokerPaused},
	{Name: "source-away", What: "a whole source cluster is killed, and comes back after a while", lane: brokers, least: 6 * time.Second, share: 0.15, needs: anywhere, inject: sourceAway},
}

var networkFaults = []*Fault{}

// healing is how long a broker may take to be back.
const healing = 90 * time.Second

// heal undoes something, also if the run has ended meanwhile.
func (i *injection) heal(undo func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(i.ctx), healing)
	defer cancel()
	return undo(ctx)
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

func sourceAway(i *injection) error {
	c := i.w.clusters[away]
	i.w.say("cluster %s is away for %s", away, i.hold.Round(time.Millisecond))
	if err := c.Kill(); err != nil {
		return err
	}
	i.wait(i.hold)
	return i.heal(c.Resume)
}
