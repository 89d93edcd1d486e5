package torture

import (
	"time"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
)

var networkFaults = []*Fault{
	{Name: "network-cut", What: "connections to a cluster are cut, and cannot be made", lane: network, least: 3 * time.Second, share: 0.03, needs: anywhere, inject: networkCut},
	{Name: "network-slow", What: "everything to and from a cluster takes its time", lane: network, least: 4 * time.Second, share: 0.05, needs: anywhere, inject: networkSlow},
	{Name: "network-half-open", What: "connections to a cluster stay open, and nothing comes through", lane: network, least: sessionTimeout + 2*time.Second, needs: anywhere, inject: networkHalfOpen},
}

func networkCut(i *injection) error {
	return i.over("cut", func(n *kafkatest.Network) { n.Cut() })
}

func networkSlow(i *injection) error {
	return i.over("slow", func(n *kafkatest.Network) { n.Slow(250*time.Millisecond, 150*time.Millisecond) })
}

func networkHalfOpen(i *injection) error {
	return i.over("half open", func(n *kafkatest.Network) { n.HalfOpen() })
}

// over makes the network before one cluster bad for a while.
func (i *injection) over(what string, how func(*kafkatest.Network)) error {
	name := i.some(home, away)
	i.w.say("the network before %s is %s for %s", name, what, i.hold.Round(time.Millisecond))
	n := i.w.clusters[name].Network()
	how(n)
	i.wait(i.hold)
	return n.Heal()
}
