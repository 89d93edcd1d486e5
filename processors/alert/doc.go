// Package alert runs the rules of package alerts over what the judge has said, and has
// notifiers tell of it.
//
// A group of one shard: one instance runs the rules, so that what one failure has made is
// seen together, and another takes over when it dies.
//
//	query.Judged ──► step ──► table, alert events ──► outbox ──► notifiers
//	                  ▲                                 │
//	                  └────────── delivered ────────────┘
//
// Every few seconds a step is made, what has changed is stored, and only then is
// delivered what waits; what was delivered is stored with the next step. So whoever takes
// over delivers again what the one before may have delivered, under the same ID, and
// nothing is lost.
//
// Table keys are ALERT/OWNER. Every session writes under its own owner, and of several
// rows of one alert the one with the highest version is read; those of others go once our
// own is acknowledged and the coordinator has confirmed the session.
package alert
