// Package counter counts one source partition. It is a pure state machine: no
// clock, no goroutine, no I/O. Package shards feeds it and stores its output.
//
// A [Counter] folds [Event]s into [Row]s, one per window and segment. A segment
// is a run of the log with a bounded number of windows; it bounds the memory,
// and what is stored. A [Ledger] says how far the log has been counted. Rows
// and ledgers are entries of a compacted table; whoever takes over a source
// calls [Recover] with the entries found there and reads on at the ledger's
// Next. A new generation begins wherever the log, or our memory of it, is
// broken, and its ledger says what was missed before it.
//
// Everything rests on one law: the content of a Row is a function of the log,
// the start of the generation, the windows per segment, and of (segment,
// window, last offset). Who computed it, how often it restarted, when it
// flushed: none of that is visible. So two owners that count a source at the
// same time, one of them a paused process that woke up, write equal rows for
// equal versions, and the highest version is right.
//
// The life of a counter, in the order that makes it safe:
//
//	Recover                      from the table; a new generation is unsure of itself
//	Add, Advance                 as the log is read
//	Flush                        gives the changed rows; write them, with their records
//	... all of them acknowledged
//	                             write the ledger that Flush returned, at LedgerKey
//	... it is acknowledged
//	Acked                        closed segments leave the memory
//	... the coordinator says, asked after that, that we still own the source
//	Confirmed                    gives the keys that nobody needs any more; delete them
//
// At each Flush rows and ledger are held against each other, and Balance says what
// was found: an [Imbalance] is a bug, or damaged memory.
//
// One such round is under way at a time. Add and Advance may come at any moment
// between two calls. A source that is lost while it is read goes on by Restart.
package counter
