package kafkatest

import (
	"context"
	"errors"
	"sync"
)

// A Node is one broker of a cluster, for what is done to it alone. The others
// miss one that is killed or paused only after broker.session.timeout.ms (9 s);
// until then it leads what it led. Much less than 9 s does not make that faster
// in all cases: what brokers have asked a paused controller hangs for half a
// minute, their own heartbeats too, so that they would be fenced themselves.
type Node struct{ server server }

// Nodes is how many brokers the cluster has.
func (c *Cluster) Nodes() int { return len(c.servers) }

// Node is a broker by Kafka's id of it, from 0 to [Cluster.Nodes] - 1.
func (c *Cluster) Node(id int) Node { return Node{server: c.servers[id]} }

// Addr is the node's address.
func (n Node) Addr() string { return n.server.addr() }

// Log is the end of the node's log.
func (n Node) Log() string { return n.server.logTail() }

// Stop ends the node by SIGTERM: it hands over what it leads, and leaves. One
// whose quorum is gone can do neither and is killed after a while.
func (n Node) Stop() error { return n.server.stop() }

// Kill ends the node by SIGKILL. The embedded broker is stopped instead.
func (n Node) Kill() error { return n.server.kill() }

// Pause stops the node by SIGSTOP, so that its connections stay and nothing is
// answered. The embedded broker cannot be paused: [errors.ErrUnsupported].
func (n Node) Pause() error { return n.server.pause() }

// Resume wakes a paused node up. It does not know how long it has slept.
func (n Node) Resume() error { return n.server.resume() }

// Start brings the node back, however it was taken away, and returns when it
// answers and the controller has admitted it. It may still have to catch up with
// the leaders. If the context ends before that, the node is killed. Without a
// quorum no node answers: see [Cluster.Resume].
func (n Node) Start(ctx context.Context) error { return n.server.start(ctx, 1) }

// Resume brings back all nodes, however they were taken away, and returns when
// each answers and knows of all.
func (c *Cluster) Resume(ctx context.Context) error { return startAll(ctx, c.servers) }

// startAll starts servers at once, because none of them answers before a
// majority is there. When one fails, the others are given up.
func startAll(ctx context.Context, servers []server) (first error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var once sync.Once
	together(servers, func(s server) {
		if err := s.start(ctx, len(servers)); err != nil {
			once.Do(func() { first = err })
			cancel()
		}
	})
	return first
}

// each does something to all servers, and tells of all that went wrong.
func each(servers []server, do func(server) error) (err error) {
	var mu sync.Mutex
	together(servers, func(s server) {
		if e := do(s); e != nil {
			mu.Lock()
			defer mu.Unlock()
			err = errors.Join(err, e)
		}
	})
	return err
}

// together does something to all servers at once.
func together(servers []server, do func(server)) {
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(func() { do(s) })
	}
	wg.Wait()
}
