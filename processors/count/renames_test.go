package count_test

import (
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/count"
)

// Replication has named topics after where they come from. They are counted as one
// topic, which is also what the truth is about from then on.
func TestTopicsThatAreRenamedAreCountedAsOne(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, c *kafkatest.Cluster) {
		w := newWorld(t, c)
		w.inPlace = true
		orders, west, east := w.prefix+"orders", w.prefix+"west.orders", w.prefix+"east.orders"
		for _, topic := range []string{west, east} {
			must(t, c.CreateTopic(t.Context(), topic, 2, nil))
			w.produce(topic, 0, 200)
			w.produce(topic, 1, 100)
		}
		// Counted under their own names at first.
		stop := w.instance(nil)
		w.agree()
		stop()
		w.mu.Lock()
		before := w.best
		w.best, w.truth = map[string]*audit.Record{}, map[cell]tally{}
		w.mu.Unlock()

		// What comes from now on is counted under the new one, in another generation.
		w.instance(func(o *count.Options) {
			o.Clusters[0].Logical = func(topic string) string {
				return strings.NewReplacer(west, orders, east, orders).Replace(topic)
			}
		})
		w.produce(west, 0, 300)
		w.produce(east, 0, 400)
		w.produce(east, 1, 500)
		w.mu.Lock()
		truth := map[cell]tally{}
		for k, x := range w.truth {
			k.topic = orders
			sum := truth[k]
			truth[k] = tally{sum.count + x.count, sum.bytes + x.bytes, sum.noTime + x.noTime}
		}
		w.truth = truth
		w.mu.Unlock()
		w.agree()

		w.mu.Lock()
		defer w.mu.Unlock()
		ids, digests := map[audit.TopicID]string{}, map[string]bool{}
		for _, r := range before {
			digests[r.Tally.Digest] = true
			if r.Physical != "" {
				t.Errorf("%s is said to be renamed to %s", r.Physical, r.Topic)
			}
		}
		for _, r := range w.best {
			digests[r.Tally.Digest] = true
			if r.Generation != 1 || !r.Tally.Partial { // earlier messages of these windows are under another name
				t.Errorf("after the rename it is generation %d, from %d on, partial %t", r.Generation, r.Tally.GenerationStart, r.Tally.Partial)
			}
			if name, known := ids[r.TopicID]; known && name != r.Physical {
				t.Errorf("%s is both %s and %s", r.TopicID, name, r.Physical)
			}
			ids[r.TopicID] = r.Physical
		}
		if len(ids) != 2 || len(digests) != 1 {
			t.Errorf("topics %v, digests %v", ids, digests)
		}
		for name := range w.none {
			t.Errorf("%s is said to be absent", name)
		}
	})
}

// A topic is absent where neither it nor one that is renamed to it is.
func TestATopicThatIsRenamedIsNotAbsent(t *testing.T) {
	w := newWorld(t, kafkatest.Kfake(t))
	second := kafkatest.Kfake(t)
	orders, clicks := w.prefix+"orders", w.prefix+"clicks"
	west, other := w.prefix+"west.orders", w.prefix+"west.other"
	for _, topic := range []string{orders, clicks} {
		must(t, w.c.CreateTopic(t.Context(), topic, 1, nil))
	}
	for _, topic := range []string{west, other} {
		must(t, second.CreateTopic(t.Context(), topic, 1, nil))
	}
	w.instance(func(o *count.Options) {
		there := o.Clusters[0]
		there.Name, there.Tier, there.Brokers = "c2", "aggregate", second.Brokers()
		there.Logical = func(topic string) string { return strings.Replace(topic, w.prefix+"west.", w.prefix, 1) }
		o.Clusters = append(o.Clusters, there)
	})
	absent := func(name string) func() bool {
		return func() bool { return w.none[name] != nil && w.none[name].Progress.AskedAfter > 0 }
	}
	w.await("clicks to be absent", absent("c2:"+clicks))
	w.await("other to be absent", absent("c1:"+w.prefix+"other"))
	w.mu.Lock()
	if len(w.none) != 2 {
		t.Errorf("absent are %v", w.none)
	}
	w.mu.Unlock()
	must(t, second.DeleteTopic(t.Context(), west))
	w.await("orders to be absent", absent("c2:"+orders))
}
