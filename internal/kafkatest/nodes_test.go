//go:build linux

package kafkatest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"
)

func TestThreeNodesAreOneCluster(t *testing.T) {
	c := Three(t)
	if c.Nodes() != 3 || len(c.Brokers()) != 3 {
		t.Fatalf("%d nodes at %v, want 3", c.Nodes(), c.Brokers())
	}
	topic := Name(t, "replicated")
	c.MustCreateTopic(t, topic, 6, nil)
	client, err := c.admin()
	if err != nil {
		t.Fatal(err)
	}
	described, err := describe(within(t), client, topic)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range described.Partitions {
		if len(p.Replicas) != 3 {
			t.Errorf("partition %d is on %v, want three replicas", p.Partition, p.Replicas)
		}
	}
}

func TestANodeComesBackHoweverItWasTakenAway(t *testing.T) {
	c := Three(t)
	topic := Name(t, "kept")
	c.MustCreateTopic(t, topic, 1, nil)
	n := c.Node(1)
	var want []string
	for name, away := range map[string]func() error{"stopped": n.Stop, "killed": n.Kill, "paused": n.Pause} {
		t.Run(name, func(t *testing.T) {
			if err := away(); err != nil {
				t.Fatal(err)
			}
			want = append(want, name)
			produce(t, c, topic, name) // in time: two of three do
			if err := n.Start(within(t)); err != nil {
				t.Fatal(err)
			}
			if got := consume(t, c, topic, len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("topic has %v, want %v", got, want)
			}
		})
	}
}

func TestAllNodesComeBackTogether(t *testing.T) {
	c := Three(t)
	topic := Name(t, "kept")
	c.MustCreateTopic(t, topic, 1, nil)
	var want []string
	for name, away := range map[string]func() error{"stopped": c.Stop, "killed": c.Kill} {
		t.Run(name, func(t *testing.T) {
			want = append(want, name)
			produce(t, c, topic, name)
			if err := away(); err != nil {
				t.Fatal(err)
			}
			if err := c.Resume(within(t)); err != nil {
				t.Fatal(err)
			}
			if got := consume(t, c, topic, len(want)); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("topic has %v, want %v", got, want)
			}
		})
	}
}

func TestAPausedNodeSleepsUntilItIsResumedOrStopped(t *testing.T) {
	q, err := newQuorum(within(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.close()
	a := q.nodes[0]
	asleep := func() bool {
		pid, _, _ := a.dog.running()
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return bytes.Contains(stat, []byte(") T "))
	}
	n := Node{a}
	if err := n.Pause(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "broker sleeps", asleep)
	if err := n.Resume(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "broker is awake", func() bool { return !asleep() })
	if err := n.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := n.Stop(); err != nil {
		t.Fatal(err)
	}
	if _, _, how := a.dog.running(); how != "exit status 143" {
		t.Errorf("stopped while paused, the broker ended with %q, want exit status 143, which is SIGTERM's", how)
	}
	if err := n.Pause(); err == nil {
		t.Error("a broker that does not run was paused")
	}
}

func TestTheEmbeddedBrokerIsOneNode(t *testing.T) {
	c := Kfake(t)
	if c.Nodes() != 1 {
		t.Errorf("%d nodes, want 1", c.Nodes())
	}
	n := c.Node(0)
	if err := n.Pause(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("pause: %v, want unsupported", err)
	}
	topic := Name(t, "kept")
	c.MustCreateTopic(t, topic, 1, nil)
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second finds it running
		if err := n.Start(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	produce(t, c, topic, "after")
}
