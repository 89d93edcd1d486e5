package sink

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/lovoo/goka"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// A stream is what a Processor carries: where it comes from, how it is read, and how the
// store takes it.
type stream[T any] struct {
	name  string // of the processor, in health, metrics and errors
	topic string // what people call the topic
	keeps string // for how long the topic keeps what waits
	graph *goka.GroupGraph
	// read gives what is to be written; keep is false where there is nothing that
	// belongs in the store.
	read  func(value []byte) (row T, keep bool, err error)
	write func(ctx context.Context, batch []T) error
}

// New makes the Processor of the audit topic: every record goes into the store.
func New(o Options) *Processor[*audit.Record] { return newProcessor(o, records(&o)) }

func records(o *Options) *stream[*audit.Record] {
	return &stream[*audit.Record]{
		name: "sink", topic: "audit topic", keeps: "until its retention ends", graph: o.Topology.SinkGraph(), read: readRecord,
		write: func(ctx context.Context, batch []*audit.Record) error { return o.Store.Write(ctx, batch) },
	}
}

func readRecord(value []byte) (*audit.Record, bool, error) {
	if len(value) == 0 {
		return nil, false, errors.New("it has no value")
	}
	r, err := audit.Decode(value)
	return r, err == nil, err
}

// NewVerdicts makes the Processor of the verdicts topic. Standings are about now and do
// not go into the store, nor does what says that a key is gone.
func NewVerdicts(o Options) *Processor[*compare.Verdict] { return newProcessor(o, verdicts(&o)) }

func verdicts(o *Options) *stream[*compare.Verdict] {
	return &stream[*compare.Verdict]{
		name: "verdict sink", topic: "verdicts topic", keeps: "until the window is older than collect.horizon", graph: o.Topology.VerdictSinkGraph(), read: readVerdict,
		write: func(ctx context.Context, batch []*compare.Verdict) error { return o.Store.WriteVerdicts(ctx, batch) },
	}
}

func readVerdict(value []byte) (*compare.Verdict, bool, error) {
	if len(value) == 0 {
		return nil, false, nil
	}
	v, _, err := compare.Decode(value)
	return v, v != nil && err == nil, err
}

// NewAlerts makes the Processor of the alert events topic: what becomes of alerts.
func NewAlerts(o Options) *Processor[*query.Alert] { return newProcessor(o, alerts(&o)) }

func alerts(o *Options) *stream[*query.Alert] {
	return &stream[*query.Alert]{
		name: "alert sink", topic: "alert events topic", keeps: "until its retention ends", graph: o.Topology.AlertSinkGraph(), read: readAlert,
		write: func(ctx context.Context, batch []*query.Alert) error { return o.Store.WriteAlerts(ctx, batch) },
	}
}

func readAlert(value []byte) (*query.Alert, bool, error) {
	if len(value) == 0 {
		return nil, false, nil
	}
	a := &query.Alert{}
	if err := json.Unmarshal(value, a); err != nil {
		return nil, false, err
	}
	if a.Key == "" {
		return nil, false, errors.New("it has no key")
	}
	return a, true, nil
}
