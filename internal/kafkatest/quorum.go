package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A quorum is a cluster of Apache Kafka: nodes that know each other, and what
// they have in common.
type quorum struct {
	java    string
	libs    string
	id      string // of the cluster
	nodes   []*apache
	network *Network // nil if not proxied
}

// errPortTaken says that another process was faster.
var errPortTaken = errors.New("port is taken")

func newQuorum(ctx context.Context, o Options) (*quorum, error) {
	q, err := prepare(ctx, o)
	if err != nil {
		return nil, err
	}
	// Free ports are found by trying, and another process may try the same.
	for range 10 {
		if err = q.choosePorts(o.Port); err == nil {
			err = q.start(ctx, o)
		}
		if !errors.Is(err, errPortTaken) || o.Port != 0 {
			break
		}
	}
	if err != nil {
		q.close()
		if errors.Is(err, errPortTaken) && o.Port != 0 {
			return nil, fmt.Errorf("start Apache Kafka: port %d on 127.0.0.1, or one of the next, is taken; stop what uses it, or choose another: %w", o.Port, err)
		}
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	return q, nil
}

// prepare has all that nodes need, and starts none.
func prepare(ctx context.Context, o Options) (q *quorum, err error) {
	q = &quorum{}
	if q.java, err = java(); err != nil {
		return nil, err
	}
	if q.libs, err = Jars(ctx, o.Progress); err != nil {
		return nil, err
	}
	for i := range max(1, o.Nodes) {
		if err := q.add(i, o); err != nil {
			q.close()
			return nil, err
		}
	}
	q.identify()
	return q, nil
}

// start starts all nodes, or leaves none running.
func (q *quorum) start(ctx context.Context, o Options) (err error) {
	if o.Proxied {
		var paths []path
		for _, a := range q.nodes {
			paths = append(paths, path{a.front, a.back})
		}
		if q.network, err = newNetwork(paths); err != nil {
			return err
		}
	}
	if err := startAll(ctx, q.servers()); err != nil {
		q.network.close()
		return errors.Join(err, each(q.servers(), server.kill))
	}
	return nil
}

// add adds a node, with a folder of its own and a watchdog that removes it.
func (q *quorum) add(node int, o Options) (err error) {
	a := &apache{opts: o, quorum: q, node: node}
	switch {
	case o.Dir == "":
		a.own = true
		if a.dir, err = os.MkdirTemp("", "chaperone-kafka-"); err != nil {
			return fmt.Errorf("make folder for Apache Kafka: %w", err)
		}
	case o.Nodes > 1:
		a.dir = filepath.Join(o.Dir, fmt.Sprintf("node-%d", node))
	default:
		a.dir = o.Dir
	}
	if a.dir, err = filepath.Abs(a.dir); err != nil {
		return fmt.Errorf("folder for Apache Kafka: %w", err)
	}
	q.nodes = append(q.nodes, a)
	a.dog, err = startWatchdog()
	return err
}

// identify takes the id of the cluster that left the folders, or a new one.
func (q *quorum) identify() {
	for _, a := range q.nodes {
		if q.id = a.formattedFor(); q.id != "" {
			return
		}
	}
	var id [16]byte
	rand.Read(id[:])
	id[0] &= 0x7f // no leading dash, which would look like an option
	q.id = base64.RawURLEncoding.EncodeToString(id[:])
}

func (q *quorum) servers() (servers []server) {
	for _, a := range q.nodes {
		servers = append(servers, a)
	}
	return servers
}

// voters lists the controllers for all nodes alike.
func (q *quorum) voters() string {
	var v []string
	for _, a := range q.nodes {
		v = append(v, fmt.Sprintf("%d@%s", a.node, loopback(a.controller)))
	}
	return strings.Join(v, ",")
}

func (q *quorum) close() {
	for _, a := range q.nodes {
		a.close()
	}
}

// choosePorts gives the brokers the ports from first on, or free ones if that
// is 0, and free ones to what else listens.
func (q *quorum) choosePorts(first int) error {
	chosen := map[int]bool{}
	free := func() (int, error) {
		for {
			p, err := freePort()
			if err != nil || !chosen[p] {
				chosen[p] = true
				return p, err
			}
		}
	}
	for i, a := range q.nodes {
		if first == 0 {
			continue
		}
		if a.port = first + i; !isFree(a.port) {
			return errPortTaken
		}
		chosen[a.port] = true
	}
	for _, a := range q.nodes {
		for _, port := range []*int{&a.port, &a.controller, &a.back, &a.front} {
			if port == &a.port && first != 0 {
				continue
			}
			var err error
			if *port, err = free(); err != nil {
				return err
			}
		}
	}
	return nil
}

// freePort finds a port below those that systems give to outgoing connections
// (from 32768 on Linux), so that nothing takes it while a broker is restarted.
func freePort() (int, error) {
	for range 1000 {
		if p := 15000 + mrand.IntN(17000); isFree(p) {
			return p, nil
		}
	}
	return 0, errors.New("find a free port between 15000 and 32000: all tried are taken")
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", loopback(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
