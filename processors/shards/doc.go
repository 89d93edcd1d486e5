// Package shards lets our own code do the work of a goka processor group.
//
// goka joins the consumer group, has Kafka assign partitions, recovers the group
// table of each, and writes what callbacks store and emit. What goka cannot do is
// read sources with unlike partition counts, pre-aggregate, or write in an order
// that survives a failure half-way. So the consumer group that goka gets is ours:
// it wraps sarama's, and for each claimed partition, a shard, it runs a [Worker].
// What the Worker wants stored it gives to [Claim.Send] as [Message]s, and these
// are what goka reads from the claim; its callback stores and emits, nothing else.
//
//	Kafka's coordinator ── claims ──► group ──► Worker ── Send ──► goka callback ──► table, output
//	                                    ▲                                 │
//	                                    └────────── marks ◄── acks ───────┘
//
// A Worker owns its order: Send returns only when every write of the messages it
// was given has been acknowledged. Keys end with the Claim's Owner, which is
// unique to the session, so that every key has one writer.
package shards
