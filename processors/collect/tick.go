package collect

import (
	"fmt"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// KindTick is the kind of records that say nothing but that time has passed: without
// records the log's time stands still, and nobody would notice that nobody counts.
const KindTick audit.Kind = "tick"

// tickAfter is how long nothing may come before a tick is written.
const tickAfter = 10 * time.Second

// Tick is a tick for one of so many partitions of the audit topic.
func Tick(partition, partitions int32) shards.Message {
	return shards.Message{EmitKey: tickKey(partition, partitions), Emit: []byte(`{"v":1,"kind":"tick"}`)}
}

// isTick says whether a message is a tick.
func isTick(m *shards.Message) bool { return strings.HasSuffix(m.EmitKey, tickSuffix) }

const tickSuffix = "/-/tick"

// tickKey is a key that belongs in the partition. That of a topic with this name would
// begin alike; its records go by other keys.
func tickKey(partition, partitions int32) string {
	for n := 0; ; n++ {
		if key := fmt.Sprintf("tick-%d%s", n, tickSuffix); shards.PartitionOf(key, partitions) == partition {
			return key
		}
	}
}
