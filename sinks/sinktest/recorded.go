package sinktest

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// recorded: the records that counts are made of, in order, as query.NewestRecords has
// them, with all that a sum rests on.
func recorded(t *testing.T, s *store) {
	s.write(world(3)...)
	s.write(record(1200, 4, 4, func(r *audit.Record) {
		r.Tier, r.Cluster, r.Partition = "client", "", audit.NoPartition
		r.Original = &audit.OriginalCount{UUID: "6ba7b810-9dad-11d1-80b4-00c04fd40001"}
	}))
	said := func(list []*audit.Record) (lines []string) {
		for _, r := range list {
			y := r.Tally
			lines = append(lines, fmt.Sprint(r.IdentityKey(), " ", r.UUID(), r.Version, r.Base, r.Host, y.Count, y.Bytes, y.NoTime, y.Malformed, y.OutOfBounds,
				y.Fingerprint, y.PowerSums, y.FingerprintMode, y.First, y.Last, y.Partial, y.Digest))
		}
		return lines
	}
	topics := map[string]bool{}
	for _, r := range s.written {
		topics[r.Topic] = true
	}
	for topic := range topics {
		for _, span := range [][2]int64{{math.MinInt64, math.MaxInt64}, {600, 1201}, {5, 5}} {
			got, err := s.Records(t.Context(), topic, span[0], span[1])
			want := query.NewestRecords(topic, span[0], span[1], slices.Values(s.written))
			if err != nil || !slices.Equal(said(got), said(want)) {
				t.Errorf("records of %q in %d:\n%q, %v, want\n%q", topic, span, said(got), err, said(want))
			}
		}
	}
}
