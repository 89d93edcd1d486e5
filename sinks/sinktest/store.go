package sinktest

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

// A store is a sink that remembers what was written.
type store struct {
	t *testing.T
	sinks.Sink
	written []*audit.Record
	judged  []*compare.Verdict
	alerted []*query.Alert
}

func (s *store) write(batch ...*audit.Record) {
	s.t.Helper()
	s.written = append(s.written, batch...)
	if err := s.Write(s.t.Context(), batch); err != nil {
		s.t.Fatalf("write: %v", err)
	}
}

func (s *store) windows(q query.Windows) []query.Row {
	s.t.Helper()
	rows, err := s.Windows(s.t.Context(), q)
	if err != nil {
		s.t.Fatalf("windows of %+v: %v", q, err)
	}
	return rows
}

// agrees compares the sink with query.Group.
func (s *store) agrees(q query.Windows) {
	s.t.Helper()
	if got, want := s.windows(q), query.Group(q, slices.Values(s.written)); !equal(got, want) {
		s.t.Errorf("asked %+v\ngot  %s\nwant %s", q, show(got), show(want))
	}
}

// counts compares the numbers of messages per row, and the sink with query.Group.
func (s *store) counts(q query.Windows, want ...uint64) {
	s.t.Helper()
	s.agrees(q)
	var got []uint64
	for _, r := range s.windows(q) {
		got = append(got, r.Count)
	}
	if !slices.Equal(got, want) {
		s.t.Errorf("asked %+v: counts %d, want %d", q, got, want)
	}
}

func equal(a, b []query.Row) bool {
	return slices.EqualFunc(a, b, func(a, b query.Row) bool {
		same := a.Tally.Equal(&b.Tally) && a.Arrival.Equal(&b.Arrival)
		a.Tally, b.Tally, a.Arrival, b.Arrival = audit.Tally{}, audit.Tally{}, audit.Latency{}, audit.Latency{}
		return same && reflect.DeepEqual(a, b)
	})
}

func show(rows []query.Row) (s string) {
	for _, r := range rows {
		partition := "-"
		if r.Partition != nil {
			partition = fmt.Sprint(*r.Partition)
		}
		s += fmt.Sprintf("\n  %q %d+%d %q/%q/%q/%s [%d,%d] partial=%t sources=%d originals=%d count=%d bytes=%d no-time=%d malformed=%d out=%d fp=%d sums=%d moments=%d latency=%d bins sum=%d max=%d negative=%d/%d arrival=%d bins sum=%d max=%d negative=%d/%d",
			r.Topic, r.Start, r.Size, r.Tier, r.Datacenter, r.Cluster, partition, r.First, r.Last, r.Partial, r.Sources, r.Originals, r.Count, r.Bytes, r.NoTime,
			r.Malformed, r.OutOfBounds, r.Fingerprint, r.PowerSums, r.Moments, r.Latency.Bins.Len(), r.Latency.Sum, r.Latency.Max, r.Latency.Negative, r.Latency.NegativeMax,
			r.Arrival.Bins.Len(), r.Arrival.Sum, r.Arrival.Max, r.Arrival.Negative, r.Arrival.NegativeMax)
	}
	return s
}
