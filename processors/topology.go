// Package processors holds the goka processor groups of chaperone, one folder
// each, and here what they have in common: the names, partitions and settings of
// the topics on the audit cluster, and the graph of each group.
//
//	count     counts the messages of the audited topics       → records
//	collect   keeps the newest record of each source, judges  → table, verdicts, read by views
//	sink      writes every record and verdict into a store
//	alert     runs the rules over the verdicts                → alerts, notifications
//
// Beside them are counter, the pure machine that counts one source, logs, which
// reads sources, shards, which lets our code do the work of a goka group, and
// settings, the decisions that all instances share.
package processors

import (
	"strconv"
	"strings"
	"time"

	"github.com/lovoo/goka"
	"github.com/lovoo/goka/codec"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// A Topology names everything that chaperone has on the audit cluster.
type Topology struct {
	// Prefix begins the names of all topics and groups. Deployments with
	// different prefixes know nothing of each other.
	Prefix string
	// Shards is the number of parts of the counting work, and so the most
	// instances that can count. Fixed once counting has begun.
	Shards int32
	// Partitions of the audit topic, and so the most instances that can collect
	// or sink. Fixed once collecting has begun.
	Partitions int32
	// Retention of the audit topic: how long the sink may be away.
	Retention time.Duration
}

// DefaultTopology is what the configuration overlays.
func DefaultTopology() Topology {
	return Topology{Prefix: "chaperone", Shards: 64, Partitions: 16, Retention: 7 * 24 * time.Hour}
}

// Names of groups and topics.
func (t Topology) CountGroup() goka.Group       { return goka.Group(t.Prefix + "-count") }
func (t Topology) CollectGroup() goka.Group     { return goka.Group(t.Prefix + "-collect") }
func (t Topology) SinkGroup() goka.Group        { return goka.Group(t.Prefix + "-sink") }
func (t Topology) VerdictSinkGroup() goka.Group { return goka.Group(t.Prefix + "-verdict-sink") }
func (t Topology) AlertSinkGroup() goka.Group   { return goka.Group(t.Prefix + "-alert-sink") }
func (t Topology) AlertGroup() goka.Group       { return goka.Group(t.Prefix + "-alert") }
func (t Topology) ShardsTopic() goka.Stream     { return goka.Stream(t.Prefix + "-shards") }
func (t Topology) AuditTopic() goka.Stream      { return goka.Stream(t.Prefix + "-audit") }
func (t Topology) VerdictsTopic() goka.Stream   { return goka.Stream(t.Prefix + "-verdicts") }
func (t Topology) AlertInputTopic() goka.Stream { return goka.Stream(t.Prefix + "-alert-input") }
func (t Topology) AlertsTopic() goka.Stream     { return goka.Stream(t.Prefix + "-alert-events") }
func (t Topology) SettingsTopic() string        { return t.Prefix + "-settings" }
func (t Topology) CountTable() goka.Table       { return goka.GroupTable(t.CountGroup()) }
func (t Topology) CollectTable() goka.Table     { return goka.GroupTable(t.CollectGroup()) }
func (t Topology) AlertTable() goka.Table       { return goka.GroupTable(t.AlertGroup()) }

// Own says whether a topic is one of chaperone's own, under any configuration
// with this prefix: such are never audited.
func (t Topology) Own(topic string) bool { return strings.HasPrefix(topic, t.Prefix+"-") }

// CountGraph, CollectGraph and SinkGraph are the goka groups. Their callbacks
// store and emit what shards.Claim.Send is given, and decide nothing.
func (t Topology) CountGraph() *goka.GroupGraph {
	return goka.DefineGroup(t.CountGroup(),
		goka.Input(t.ShardsTopic(), new(codec.Bytes), shards.Callback(t.AuditTopic())),
		goka.Output(t.AuditTopic(), new(codec.Bytes)),
		goka.Persist(new(codec.Bytes)))
}

// CollectGraph emits to its own input: records that came without their key; and verdicts.
func (t Topology) CollectGraph() *goka.GroupGraph {
	return goka.DefineGroup(t.CollectGroup(),
		goka.Input(t.AuditTopic(), new(codec.Bytes), shards.Callback(t.AuditTopic())),
		goka.Output(t.AuditTopic(), new(codec.Bytes)),
		goka.Output(t.VerdictsTopic(), new(codec.Bytes)),
		goka.Persist(new(codec.Bytes)))
}

// SinkGraph and VerdictSinkGraph have neither table nor output: what they write goes to a
// store.
func (t Topology) SinkGraph() *goka.GroupGraph {
	return goka.DefineGroup(t.SinkGroup(),
		goka.Input(t.AuditTopic(), new(codec.Bytes), shards.Callback("")))
}

func (t Topology) VerdictSinkGraph() *goka.GroupGraph {
	return goka.DefineGroup(t.VerdictSinkGroup(),
		goka.Input(t.VerdictsTopic(), new(codec.Bytes), shards.Callback("")))
}

func (t Topology) AlertSinkGraph() *goka.GroupGraph {
	return goka.DefineGroup(t.AlertSinkGroup(),
		goka.Input(t.AlertsTopic(), new(codec.Bytes), shards.Callback("")))
}

// AlertGraph has one shard: what groups alerts has to see all of them.
func (t Topology) AlertGraph() *goka.GroupGraph {
	return goka.DefineGroup(t.AlertGroup(),
		goka.Input(t.AlertInputTopic(), new(codec.Bytes), shards.Callback(t.AlertsTopic())),
		goka.Output(t.AlertsTopic(), new(codec.Bytes)),
		goka.Persist(new(codec.Bytes)))
}

// Graphs lists the groups in the order of the data.
func (t Topology) Graphs() []*goka.GroupGraph {
	return []*goka.GroupGraph{t.CountGraph(), t.CollectGraph(), t.SinkGraph(), t.VerdictSinkGraph(), t.AlertGraph(), t.AlertSinkGraph()}
}

// Topics are all topics of chaperone as they have to be.
//
// A table must be readable while it is compacted: a recovery has to end within
// min.compaction.lag.ms and delete.retention.ms, or it could miss a row whose
// newer version it had already passed.
func (t Topology) Topics() []shards.Topic {
	const hour = "3600000"
	ms := func(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
	table := map[string]string{
		"cleanup.policy": "compact", "min.compaction.lag.ms": hour, "delete.retention.ms": hour,
		"segment.ms": hour, "segment.bytes": "67108864", "max.compaction.lag.ms": "21600000",
		// By the broker's clock, and not by the one of the instance that writes: the
		// lag counts from these timestamps, and an instance whose clock is an hour
		// behind would have its rows compacted under the recovery that reads them.
		"message.timestamp.type": "LogAppendTime",
	}
	return []shards.Topic{
		{Name: string(t.ShardsTopic()), Partitions: t.Shards, Purpose: "formal and empty: its partitions are the shards", Key: "-", Value: "-",
			Config: map[string]string{"cleanup.policy": "delete"}},
		{Name: string(t.CountTable()), Partitions: t.Shards, Config: table, Purpose: "ledgers and rows of the sources",
			Key: "cluster:topic/partition/topic id/generation/segment/window/owner, or .../generation/L/owner", Value: "binary row or ledger (processors/counter)"},
		// Not compacted: a compacted topic refuses records without a key, and the
		// original's have none. Timestamps are the broker's: the audit's only clock.
		{Name: string(t.AuditTopic()), Partitions: t.Partitions, Purpose: "records of all tiers",
			Key: "topic/-/kind/window/size/tier/datacenter/cluster/topic id/partition/instance/generation/segment/owner", Value: "JSON record (audit)",
			Config: map[string]string{"cleanup.policy": "delete", "retention.ms": ms(t.Retention), "message.timestamp.type": "LogAppendTime"}},
		{Name: string(t.CollectTable()), Partitions: t.Partitions, Config: table, Purpose: "the newest record of each source",
			Key: "as on the audit topic, the owner being the collecting session", Value: "JSON record behind a binary head (processors/collect/table)"},
		{Name: string(t.VerdictsTopic()), Partitions: t.Partitions, Config: table, Purpose: "the newest verdict of each window, and how each topic stands",
			Key: "topic/-/verdict/window/size/owner, or topic/-/standing/owner", Value: "JSON verdict or standing (compare)"},
		{Name: string(t.AlertInputTopic()), Partitions: 1, Purpose: "formal and empty: who owns its partition runs the rules", Key: "-", Value: "-",
			Config: map[string]string{"cleanup.policy": "delete"}},
		{Name: string(t.AlertTable()), Partitions: 1, Config: table, Purpose: "alerts, and the notifications that wait to be delivered",
			Key: "alert/owner", Value: "JSON entry (alerts)"},
		{Name: string(t.AlertsTopic()), Partitions: 1, Purpose: "what becomes of alerts: the highest version of each counts", Key: "alert/owner", Value: "JSON alert (query)",
			Config: map[string]string{"cleanup.policy": "compact,delete", "retention.ms": ms(t.Retention), "min.compaction.lag.ms": hour, "delete.retention.ms": hour,
				"message.timestamp.type": "LogAppendTime"}},
		{Name: t.SettingsTopic(), Partitions: 1, Purpose: "decisions that all instances share", Key: "start/cluster/uuid or topic/name", Value: "JSON (processors/settings)",
			Config: map[string]string{"cleanup.policy": "compact", "message.timestamp.type": "LogAppendTime"}},
	}
}
