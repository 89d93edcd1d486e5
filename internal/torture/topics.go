package torture

import (
	"slices"
	"time"
)

// declaredTopic is the one that has a codec declared, for its field "at".
const declaredTopic = "payments"

// audited are the topics that are there from the beginning.
func (w *world) audited() []topic {
	usual := shape{field: "ts", behind: 30 * time.Second}
	list := []topic{
		{name: "orders", cluster: home, partitions: 4, rate: 120, shape: usual},
		{name: "orders", cluster: away, partitions: 3, rate: 100, shape: usual},
		{name: declaredTopic, cluster: home, partitions: 2, rate: 60, shape: shape{field: "at", behind: 30 * time.Second}, codec: "json"},
		{name: declaredTopic, cluster: away, partitions: 2, rate: 60, shape: shape{field: "at", behind: 30 * time.Second}, codec: "json"},
		// Every other message opens a window, so that segments turn without end.
		{name: "scattered", cluster: home, partitions: 1, rate: 4, shape: shape{field: "ts", behind: 3 * time.Hour}},
		{name: "grown", cluster: home, partitions: 2, rate: 40, shape: usual},
		{name: "transactions", cluster: home, partitions: 2, rate: 80, shape: usual, kind: transactional},
		{name: "compacted", cluster: home, partitions: 2, rate: 60, shape: shape{field: "ts", behind: 30 * time.Second, keys: 10}, kind: compacted,
			config: map[string]string{"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "2000"}},
		{name: "dropped", cluster: home, partitions: 2, rate: 40, shape: usual, kind: dropped},
		{name: "recreated", cluster: away, partitions: 2, rate: 40, shape: usual, kind: recreated},
	}
	if w.clusters[home].Nodes() > 1 {
		list = append(list, topic{name: "shaky", cluster: home, partitions: 1, rate: 40, shape: usual, kind: unclean})
	}
	if w.o.Kafka == Kfake { // its compaction takes the beginning of a log away, which that of Kafka never does
		list = slices.DeleteFunc(list, func(t topic) bool { return t.kind == compacted })
	}
	for i := range list {
		list[i].name = w.topicName(list[i].name)
	}
	return list
}
