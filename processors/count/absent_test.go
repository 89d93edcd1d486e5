package count_test

import (
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/count"
)

// A topic that one cluster has and another does not have is stated to be absent there,
// for as long as that is so.
func TestATopicThatAClusterDoesNotHaveIsSaidToBeAbsent(t *testing.T) {
	kafkatest.Both(t, func(t *testing.T, second *kafkatest.Cluster) {
		w := newWorld(t, kafkatest.Kfake(t))
		orders, clicks := w.prefix+"orders", w.prefix+"clicks"
		for _, topic := range []string{orders, clicks} {
			must(t, w.c.CreateTopic(t.Context(), topic, 2, nil))
		}
		must(t, second.CreateTopic(t.Context(), clicks, 2, nil))
		w.produce(orders, 0, 100)
		w.instance(func(o *count.Options) {
			there := o.Clusters[0]
			there.Name, there.Tier, there.Datacenter, there.Brokers = "c2", "aggregate", "", second.Brokers()
			o.Clusters = append(o.Clusters, there)
		})
		w.agree()
		var last int64
		absent := func(cluster string) {
			t.Helper()
			w.await(orders+" to be absent at "+cluster, func() bool {
				r := w.none[cluster+":"+orders]
				return r != nil && r.Version > last && r.Progress.AskedAfter > last
			})
			r := w.none[cluster+":"+orders]
			if r.TopicID != (audit.TopicID{}) || r.Progress.AskedAfter >= r.Version || r.Instance != r.Owner {
				t.Errorf("it says %+v, %+v", r, r.Progress)
			}
			last = r.Version
		}
		absent("c2")
		must(t, second.CreateTopic(t.Context(), orders, 1, nil))
		counted := func() bool {
			for _, r := range w.prog {
				if r.Cluster == "c2" && r.Topic == orders && len(r.Progress.Sources) == 1 && r.Progress.Partitions == 1 {
					return true
				}
			}
			return false
		}
		w.await("progress of the topic that has come", counted)
		must(t, second.DeleteTopic(t.Context(), orders))
		absent("c2") // the sequence goes on
		if r := w.none["c2:"+orders]; r.Tier != "aggregate" || r.Datacenter != "" {
			t.Errorf("it says %+v", r)
		}

		// Nobody has it any more, and it was counted.
		last = 0
		must(t, w.c.DeleteTopic(t.Context(), orders))
		absent("c1")
		w.mu.Lock()
		defer w.mu.Unlock()
		for name := range w.none {
			if !strings.HasSuffix(name, orders) {
				t.Errorf("%s is there", name)
			}
		}
	})
}
