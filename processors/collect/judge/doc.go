// Package judge decides, for the topics of one partition of the audit topic, which
// windows are to be judged and when, and has package compare judge them.
//
//	records ──► topic ─┬─ tiers: how far is each counted? ──┐
//	                   └─ windows: what has each counted? ──┴─► compare ──► verdicts, standings
//
// It is pure: its only clock is the log's, the newest append time that it was told of.
// What it says is a function of the partition up to an offset, and of the plan.
//
// A window is judged when it ends (it is provisional then), when every tier has been
// counted past its end and its grace (it is final), a minute later if that has not come
// (nobody knows), and when it changes after that (it is amended). A tier has been counted
// up to a moment if each of its sources has: see [source.progress] for partitions and
// [instance] for applications.
package judge
