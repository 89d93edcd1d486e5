// Package views reads chaperone's tables: it holds them in memory, as goka views
// do, and answers typed questions.
//
//	collect table ──► goka view ──► stores, one per partition ──► Sources ──► REST
//	verdicts      ──► goka view ──► stores, and an outline    ──► Verdicts ──► REST
//
// [Sources] has the newest records of each source for the newest hours, its
// detail; [Verdicts] what the judge has said, for days. An identity can have entries of
// several sessions of the collecting processor; the highest version counts. Older
// windows are for the sink's store.
//
// Answers come from ordered in-memory stores, from a snapshot, so a question
// neither waits for updates nor delays them. The stores outlive the view that
// fills them: while the audit cluster is away, or a view is built anew, answers go
// on, as of the time that AsOf gives, and /health says so.
package views
