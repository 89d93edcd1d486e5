package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// startTimeout is generous: the first start fetches jars, and the machine may
// be busy.
const startTimeout = 5 * time.Minute

// Apache starts n clusters of Apache Kafka, at once, for the length of a test.
// -short skips the test. Logs of the brokers are shown if it fails.
func Apache(tb testing.TB, n int) []*Cluster {
	tb.Helper()
	return ApacheWith(tb, n, Options{})
}

// ApacheWith is Apache with options.
func ApacheWith(tb testing.TB, n int, o Options) []*Cluster {
	tb.Helper()
	skipShort(tb)
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	clusters, errs := make([]*Cluster, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { clusters[i], errs[i] = Start(ctx, o) })
	}
	wg.Wait()
	for i, c := range clusters {
		if c != nil {
			tb.Cleanup(func() {
				showLog(tb, c, i)
				c.Close()
			})
		}
	}
	for _, err := range errs {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return clusters
}

// Kfake starts an embedded broker for the length of a test.
func Kfake(tb testing.TB) *Cluster {
	tb.Helper()
	return KfakeWith(tb, Options{})
}

// KfakeWith is Kfake with options: see [StartKfakeWith].
func KfakeWith(tb testing.TB, o Options) *Cluster {
	tb.Helper()
	c, err := StartKfakeWith(o, nil)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

var shared = sync.OnceValues(func() (*Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return Start(ctx, Options{})
})

// Shared is the one Apache Kafka that the tests of this process share. It ends
// with the process. Tests that use it take topics and groups of their own names
// and leave the broker running. -short skips the test.
func Shared(tb testing.TB) *Cluster {
	tb.Helper()
	skipShort(tb)
	c, err := shared()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { showLog(tb, c, 0) })
	return c
}

var three = sync.OnceValues(func() (*Cluster, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	return Start(ctx, Options{Nodes: 3, Proxied: true})
})

// Three is the one Apache Kafka of three nodes, proxied, that the tests of this
// process share. A test may do to its nodes and its network what it likes, while
// no other test uses it; all is made good afterwards. -short skips the test.
func Three(tb testing.TB) *Cluster {
	tb.Helper()
	skipShort(tb)
	c, err := three()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		showLog(tb, c, 0)
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := errors.Join(c.Network().Heal(), c.Resume(ctx)); err != nil {
			tb.Errorf("bring the nodes back: %v", err)
		}
	})
	return c
}

// Both runs a test as two subtests: "kfake" on an embedded broker of its own,
// and "apache" on the shared Apache Kafka, which -short skips.
func Both(t *testing.T, test func(t *testing.T, c *Cluster)) {
	t.Helper()
	t.Run("kfake", func(t *testing.T) { test(t, Kfake(t)) })
	t.Run("apache", func(t *testing.T) { test(t, Shared(t)) })
}

// Name makes a name for a topic or a group that no other test on the same
// cluster has.
func Name(tb testing.TB, base string) string {
	tb.Helper()
	names.Lock()
	defer names.Unlock()
	names.n++
	return fmt.Sprintf("%s-%d", base, names.n)
}

var names struct {
	sync.Mutex
	n int
}

func skipShort(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("needs Apache Kafka; not with -short")
	}
}

func showLog(tb testing.TB, c *Cluster, i int) {
	if tb.Failed() {
		tb.Logf("ends of the logs of cluster %d:\n%s", i, c.Log())
	}
}
