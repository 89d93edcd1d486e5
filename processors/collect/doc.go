// Package collect is the collecting processor: it keeps, in its group table, the
// newest record of each identity on the audit topic, for the views to read.
//
//	audit topic ──► machine ── every half second ──► collect table ──► views
//	     ▲             │
//	     └── records that came without their key, under it
//
// Everything about a topic is in one partition of the audit topic, because keys
// begin with the topic; and one partition is one [Machine], which is pure: it
// reads no clock and does no I/O. Its state is what the table held at the start of
// the session and what the topic said since. The position in the topic is
// committed after what it has led to is acknowledged, so a restart reads some
// records again, and that changes nothing. So at any moment the table has, under
// some owner's key, the newest version of each identity before that position.
//
// The machine's time is the log's: the newest append time it has seen.
//
// It also holds counting to account: for each source, records and progress must
// balance (books.go). An [Imbalance] is an alarm in /health and in the metrics.
package collect
