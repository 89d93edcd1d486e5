// Package sink is the sinking processor: it writes every record of the audit
// topic into a store, others of its kind every verdict of the verdicts topic and
// every alert.
//
//	topic ──► claims, one per partition ──► batcher, one per instance ──► store
//	  ▲                                           │
//	  └───────── offsets, committed behind ◄──────┘
//
// Each has a group of its own, so that a store that is away stops nothing else: the
// batcher then keeps what it has, two batches, and tries again for as long as it
// takes; the claims wait, and the topic keeps the rest. Because a sink is
// idempotent, a batch whose outcome is not known is written again.
//
// A record that the store rejects for ever is found by halving its batch and is
// set aside, see package aside: it stays readable at its offset for as long as
// the topic keeps it.
package sink
