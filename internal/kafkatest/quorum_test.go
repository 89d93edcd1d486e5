package kafkatest

import (
	"errors"
	"net"
	"testing"
)

// Another process may be faster with a port that was free. Then the nodes that
// do run must be gone before other ports are tried.
func TestAPortThatIsTakenEndsTheStartOfAllNodes(t *testing.T) {
	skipShort(t)
	o := Options{Nodes: 2}
	q, err := prepare(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	defer q.close()
	if err := q.choosePorts(0); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", q.nodes[1].addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := q.start(within(t), o); !errors.Is(err, errPortTaken) {
		t.Errorf("started with a port that is taken: %v", err)
	}
	for _, a := range q.nodes {
		if pid, _, _ := a.dog.running(); pid != 0 {
			t.Errorf("node %d runs", a.node)
		}
	}
	l.Close()
	if err := q.choosePorts(0); err != nil {
		t.Fatal(err)
	}
	if err := q.start(within(t), o); err != nil {
		t.Errorf("with other ports: %v", err)
	}
}

func TestPortsOfNodesFollowTheFirst(t *testing.T) {
	q := &quorum{nodes: []*apache{{}, {}, {}}}
	first, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	if err := q.choosePorts(first); err != nil {
		t.Skipf("ports from %d on: %v", first, err)
	}
	used := map[int]bool{}
	for i, a := range q.nodes {
		if a.port != first+i {
			t.Errorf("node %d has port %d, want %d", i, a.port, first+i)
		}
		for _, p := range []int{a.port, a.controller, a.back, a.front} {
			if used[p] {
				t.Errorf("port %d is given twice", p)
			}
			used[p] = true
		}
	}
}
