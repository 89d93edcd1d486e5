package collect

import (
	"fmt"

	"github.com/chaperone-audit/chaperone/audit"
)

const verdictsTopic = "chaperone-verdicts"

const simEpoch = 1_700_000_400 // seconds, a multiple of 600

// windowRecord is a function of identity and version, and of who writes it.
func windowRecord(owner string, partition int32, start, version int64) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindWindow, Owner: owner, Version: version,
		Identity: audit.Identity{Tier: "regional", Cluster: "c", Topic: "orders", Partition: partition, Window: audit.Window{Start: start, Size: 600}},
		Tally:    &audit.WindowTally{First: 0, Last: version},
	}
	r.Tally.Count = uint64(version) + 1
	return r
}

func progressRecord(owner string, version int64, partitions ...int32) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindProgress, Owner: owner, Version: version,
		Identity: audit.Identity{Tier: "regional", Cluster: "c", Topic: "orders", Partition: audit.NoPartition, Instance: owner},
		Progress: &audit.Progress{Partitions: 4},
	}
	for _, p := range partitions {
		r.Progress.Sources = append(r.Progress.Sources, audit.SourceProgress{Partition: p, Next: version, LogStart: -1, End: -1, HighWatermark: -1, CaughtUp: audit.CaughtUpNo})
	}
	return r
}

// original is a record of the original Chaperone.
func original(topic, uuid string, appended int64) []byte {
	start := appended / 1000 / 36000 * 36000 // one uuid, one window
	return fmt.Appendf(nil, `{"uuid":"%s-%d","timeBeginInSec":%d,"timeEndInSec":%d,"topicName":"%s","hostname":"h","tier":"t","datacenter":"d","totalBytes":10,"count":3}`,
		uuid, start, start, start+600, topic)
}
