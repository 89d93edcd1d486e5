// Package alerts says what somebody has to look into: from verdicts and rules to alerts,
// and from alerts to notifications.
//
// A [Rule] looks at one [Subject], such as missing or lag, of the topics of some
// [Class]es. Where it finds something it makes a hit; hits that one failure has made,
// which they show by their pipeline, tiers, reason and cluster, are one alert, however
// many topics and windows they touch:
//
//	verdicts, standings ──► hits ──► causes ──► alerts: pending ─► firing ─► resolved
//	                                               │
//	                                               └──► notifications, until they are delivered
//
// [Rules.Step] is all of it, and pure: it takes a [State] and what the judge has said, a
// [Snapshot], and gives the next State, in which the notifications wait that are to be
// delivered. Durations are by the log's time, so that a step gives the same whenever it
// is made and however often; the wall clock says only when mutes hold, when to notify
// again, and that the log stands still.
//
// Whoever runs the steps stores a State before it delivers what waits in it, and says
// afterwards what has been delivered ([State.Delivered]). So every notification is
// delivered at least once, and again after a crash in between, under the same ID.
//
// Files: rule.go and default.go have what is configured, rules.go compiles it; hits.go,
// current.go and standing.go find, cause.go groups, step.go moves alerts on, tell.go
// notifies, text.go says it in words. Packages below notify deliver.
package alerts
