// Package count is the counting processor: it counts every message of every
// audited topic, on any number of clusters, once in effect.
//
// Its goka group subscribes to a formal, empty topic whose partitions are the
// shards. A source partition belongs to the shard that its name hashes to, and
// whoever owns the shard reads it, wherever it lies:
//
//	cluster ── directory ──► which sources there are      (polled metadata)
//	   │
//	   └── logs.Reader ──► source ──► counter.Counter      (in memory, pure)
//	                                      │ every second
//	                                 shard: flush ── rows, then ledger, then eviction ──► shards.Claim
//	                                      │ durable ledgers
//	                                 progress ──► audit topic, display offsets
//
// A row goes to the group table and, in the same callback, as a record to the
// audit topic. When all rows of a flush are acknowledged the ledger follows, the
// position up to which they count. A restart goes on from the ledger; what lies
// ahead of it is skipped. Nothing that is written depends on a clock.
package count
