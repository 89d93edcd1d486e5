package kafkatest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bothProxied is Both, proxied: kfake, and the three nodes.
func bothProxied(t *testing.T, test func(t *testing.T, c *Cluster)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) { test(t, KfakeWith(t, Options{Proxied: true})) })
	t.Run("apache", func(t *testing.T) { test(t, Three(t)) })
}

// through is a client that comes through the network. It says what it cannot
// get within moments, where others would try for minutes.
func through(t *testing.T, c *Cluster) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ProxiedBrokers()...), kgo.RequestRetries(0), kgo.RetryTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// question is one round trip to a node, which must be known to the client.
func question(ctx context.Context, client *kgo.Client) error {
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	_, err := req.RequestWith(ctx, client.Broker(0))
	return err
}

func TestClientsThatComeThroughTheProxyStayBehindIt(t *testing.T) {
	bothProxied(t, func(t *testing.T, c *Cluster) {
		topic := Name(t, "proxied")
		c.MustCreateTopic(t, topic, 1, nil)
		told := func(seeds []string) (addrs []string) {
			client, err := kgo.NewClient(kgo.SeedBrokers(seeds...))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			find := kmsg.NewPtrFindCoordinatorRequest()
			find.CoordinatorKey, find.CoordinatorKeys = "group", []string{"group"}
			if _, err := find.RequestWith(within(t), client); err != nil {
				t.Fatal(err)
			}
			resp, err := kmsg.NewPtrMetadataRequest().RequestWith(within(t), client)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range resp.Brokers {
				addrs = append(addrs, loopback(int(b.Port)))
			}
			slices.Sort(addrs)
			return addrs
		}
		for _, way := range [][]string{c.Brokers(), c.ProxiedBrokers()} {
			if got, want := told(way), slices.Sorted(slices.Values(way)); !slices.Equal(got, want) {
				t.Errorf("a client that asked %v was told of %v", want, got)
			}
		}
		c.Network().Cut()
		produce(t, c, topic, "past the proxy")
		if err := c.Network().Heal(); err != nil {
			t.Fatal(err)
		}
		client := through(t, c)
		if err := client.ProduceSync(within(t), &kgo.Record{Topic: topic, Value: []byte("through")}).FirstErr(); err != nil {
			t.Error(err)
		}
		if got := consume(t, c, topic, 2); got[1] != "through" {
			t.Errorf("topic has %q", got)
		}
	})
}

func TestTheNetworkGetsBadAndGoodAgain(t *testing.T) {
	bothProxied(t, func(t *testing.T, c *Cluster) {
		n := c.Network()
		client := through(t, c)
		ask := func(bound time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), bound)
			defer cancel()
			return question(ctx, client)
		}
		good := func() {
			t.Helper()
			if err := n.Heal(); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, "the node answers", func() error { return ask(time.Minute) })
		}
		if err := client.Ping(within(t)); err != nil {
			t.Fatal(err)
		}
		good()
		n.Cut()
		if err := ask(time.Minute); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("cut off: %v, want to be told at once", err)
		}
		good()
		n.HalfOpen()
		if err := ask(300 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("half open: %v, want silence until the deadline", err)
		}
		good()
		n.Slow(150*time.Millisecond, 50*time.Millisecond)
		began := time.Now()
		if err := ask(time.Minute); err != nil || time.Since(began) < 200*time.Millisecond {
			t.Errorf("delayed by 100 ms and more each way, an answer came after %s (%v)", time.Since(began), err)
		}
		good()
		n.Limit(200)
		began = time.Now()
		for range 2 { // a metadata question has 30 bytes and more, its answer 50 and more
			if err := ask(time.Minute); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took < 300*time.Millisecond {
			t.Errorf("two answers at 200 bytes a second took %s", took)
		}
		good()
		if c.Nodes() > 1 {
			n.Node(1).Cut()
			if err := ask(time.Minute); err != nil {
				t.Errorf("another node cut off: %v", err)
			}
			n.Node(0).Cut()
			if err := ask(time.Minute); err == nil {
				t.Error("this node cut off: it answers")
			}
		}
	})
}

func waitUntil(t *testing.T, what string, complaint func() error) {
	t.Helper()
	if err := wait(within(t), what, complaint); err != nil {
		t.Fatal(err)
	}
}

func TestAClusterThatIsNotProxiedHasNoNetwork(t *testing.T) {
	c := Kfake(t)
	if got := c.ProxiedBrokers(); got != nil {
		t.Errorf("proxied brokers %v", got)
	}
	defer func() {
		if recover() == nil {
			t.Error("it has a network")
		}
	}()
	c.Network()
}
