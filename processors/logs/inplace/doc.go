// Package inplace reads logs in place: the records of a fetch response are
// handed over where they lie, and no object is made of any of them. Its [Reader]
// is a [logs.Reader].
//
//	finder ── which broker leads which source ──► fetchers, one or a few for each broker
//	                                                 │
//	   session ── what to ask for (KIP-227) ──► fetch request ──► response
//	                                                 │              while the next is asked for
//	   walker ── checksum, inflate, records ◄────────┘
//	     │
//	   logs.Sink: borrowed records, and the exact position behind them
//
// The walk sees what client libraries hide: control records, aborted
// transactions, what compaction has left of a batch, leader epochs. So the
// position is exact, and a log that was cut is told by the broker itself.
//
// What the network, leaders and throttling do is healed by asking again. What
// the log does is told by kind, once, as [logs.Sink.Lost].
package inplace
