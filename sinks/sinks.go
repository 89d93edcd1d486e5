// Package sinks is where records, verdicts and alerts end up: the contract that a store fulfils.
//
// The implementations are in packages of their own, and all of them pass the
// suite in sinktest.
package sinks

import (
	"context"
	"errors"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A Sink stores records, verdicts and alerts. Its methods may be called from any goroutine.
//
// Writing is idempotent by identity and version: a record may be written again,
// late, or after a newer one, and what is read is the newest of each identity.
// So a batch whose outcome is not known is simply written again. The identity of
// a verdict is its topic and window.
type Sink interface {
	// Write stores all records of the batch or returns an error; after an error
	// any of them may have been stored. The error wraps ErrRejected if the same
	// batch will fail for ever; any other is worth another try. It keeps no
	// reference to the records.
	Write(ctx context.Context, batch []*audit.Record) error
	// WriteVerdicts stores verdicts as Write does records. It may keep them: nobody
	// changes a verdict. What is read back says all that was written, in the same JSON.
	WriteVerdicts(ctx context.Context, batch []*compare.Verdict) error
	// WriteAlerts stores alerts, whose identity is their key, likewise.
	WriteAlerts(ctx context.Context, batch []*query.Alert) error
	// History answers questions about what was written.
	query.Source
	query.Recorded
	query.Judgements
	query.Alerting
	// Close releases what New took. Write and queries must have ended.
	Close() error
}

// ErrRejected says that the store will never take the batch as it is. Halving
// the batch finds the record that it objects to.
var ErrRejected = errors.New("rejected by the store")
