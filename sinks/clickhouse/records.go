package clickhouse

import (
	"cmp"
	"context"
	"slices"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/audit"
)

// Records implements query.Recorded. The records are without latencies, sketches and what
// applications say of themselves: counts do not rest on them.
func (s *Sink) Records(ctx context.Context, topic string, from, to int64) ([]*audit.Record, error) {
	var list []*audit.Record
	err := s.query(ctx, "query records", `
SELECT tier, datacenter, cluster, topic_id, partition, instance, window_start, window_size, generation, segment, version, base, owner, host, original,
	messages, bytes, no_time, malformed, out_of_bounds, fingerprint, power_sums, fingerprint_mode, first_offset, last_offset, partial, generation_start,
	codec, time_basis, latency_basis, digest
FROM audit
WHERE topic = {topic:String} AND `+span, append(spanned(from, to), driver.Named("topic", topic)), func(scan func(...any) error) error {
		r := &audit.Record{Kind: audit.KindWindow, Identity: audit.Identity{Topic: topic}, Tally: &audit.WindowTally{}}
		t := r.Tally
		var id, original string
		var sums []uint64
		if err := scan(&r.Tier, &r.Datacenter, &r.Cluster, &id, &r.Partition, &r.Instance, &r.Start, &r.Size, &r.Generation, &r.Segment, &r.Version, &r.Base, &r.Owner, &r.Host, &original,
			&t.Count, &t.Bytes, &t.NoTime, &t.Malformed, &t.OutOfBounds, &t.Fingerprint, &sums, &t.FingerprintMode, &t.First, &t.Last, &t.Partial, &t.GenerationStart,
			&t.Codec, &t.TimeBasis, &t.LatencyBasis, &t.Digest); err != nil {
			return err
		}
		if id != "" {
			topicID, err := audit.ParseTopicID(id)
			if err != nil {
				return err
			}
			r.TopicID = topicID
		}
		if original != "" {
			r.Original = &audit.OriginalCount{UUID: original}
		}
		copy(t.PowerSums[:], sums)
		list = append(list, r)
		return nil
	})
	slices.SortFunc(list, func(a, b *audit.Record) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.Size, b.Size), cmp.Compare(a.IdentityKey(), b.IdentityKey()))
	})
	return list, err
}
