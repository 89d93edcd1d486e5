package kafkatest

import (
	"errors"
	"fmt"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// A Network is the way to the nodes that [Cluster.ProxiedBrokers] takes, which
// can be made bad, and good again. What happens to it, happens to connections
// that are there as well as to new ones, and adds up until Heal: half open and
// slow is both. Brokers talk to each other past it, and so does this package.
//
//	client ──► front (proxy) ──► back ─┐
//	                                   ├─ node
//	client ──────────────► its address ┘
type Network struct{ ways []*way }

// A path is from a port where the proxy listens to one where the node does.
type path struct{ front, back int }

// A way is the proxy before one node.
type way struct {
	front   string
	proxy   *toxiproxy.Proxy
	weather *weather
}

// ProxiedBrokers are the addresses of the proxies before the nodes. The nodes
// tell them to clients that come through them, so that these never find the
// plain ones. Nil if the cluster was started without Proxied.
func (c *Cluster) ProxiedBrokers() (addrs []string) {
	if c.network == nil {
		return nil
	}
	for _, w := range c.network.ways {
		addrs = append(addrs, w.front)
	}
	return addrs
}

// Network is the way to all nodes. It panics if the cluster was started without
// Proxied: a fault that does nothing must not look like one that did no harm.
func (c *Cluster) Network() *Network {
	if c.network == nil {
		panic("kafkatest: the network of a cluster that was started without Proxied")
	}
	return c.network
}

// Node is the way to one node.
func (n *Network) Node(id int) *Network { return &Network{n.ways[id : id+1]} }

// Cut closes the connections and refuses new ones.
func (n *Network) Cut() {
	for _, w := range n.ways {
		w.weather.change(func(c *conditions) { c.cut = true })
		w.proxy.Stop()
	}
}

// HalfOpen lets bytes vanish, both ways. Connections stay open and can be made,
// and nobody answers on them. Those that have lost bytes end with Heal, since
// what follows would make no sense.
func (n *Network) HalfOpen() { n.change(func(c *conditions) { c.vanish = true }) }

// Slow delays bytes each way by latency, more or less by up to jitter.
func (n *Network) Slow(latency, jitter time.Duration) {
	n.change(func(c *conditions) { c.latency, c.jitter = latency, jitter })
}

// Limit lets so many bytes pass in a second, each way and on each connection.
func (n *Network) Limit(bytesPerSecond int) {
	n.change(func(c *conditions) { c.rate = bytesPerSecond })
}

// Heal makes everything good again. It fails when somebody has taken the port
// of a proxy while it was cut off.
func (n *Network) Heal() error {
	var errs []error
	for _, w := range n.ways {
		w.weather.change(func(c *conditions) { *c = conditions{} })
		if err := w.proxy.Start(); err != nil && !errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
			errs = append(errs, fmt.Errorf("heal the network: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (n *Network) change(how func(*conditions)) {
	for _, w := range n.ways {
		w.weather.change(how)
	}
}

// newNetwork starts the proxies. What is behind them need not listen yet.
func newNetwork(paths []path) (*Network, error) {
	n := &Network{}
	for _, p := range paths {
		w, err := newWay(loopback(p.front), loopback(p.back))
		if err != nil {
			n.close()
			return nil, fmt.Errorf("start the proxy at %s: %w (%w)", loopback(p.front), errPortTaken, err)
		}
		n.ways = append(n.ways, w)
	}
	return n, nil
}

func newWay(front, back string) (*way, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	w := &way{front: front, proxy: toxiproxy.NewProxy(server, front, front, back), weather: newWeather()}
	if err := w.weather.over(w.proxy); err != nil {
		return nil, err
	}
	return w, w.proxy.Start()
}

func (n *Network) close() {
	if n == nil {
		return
	}
	n.Cut()
	for _, w := range n.ways {
		weathers.Delete(w.front)
	}
}
