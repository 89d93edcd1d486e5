package sinktest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

func everything(by ...query.Dimension) query.Windows {
	return query.Windows{Topic: "orders", From: math.MinInt64, To: math.MaxInt64, By: by}
}

// record is a window record of partition 0 with so many messages, whose content
// is a function of what is given.
func record(start, version int64, count uint64, changes ...func(*audit.Record)) *audit.Record {
	r := &audit.Record{
		Kind: audit.KindWindow,
		Identity: audit.Identity{
			Tier: "regional", Datacenter: "dc1", Cluster: "east", Topic: "orders", TopicID: audit.TopicID{1, 2, 3},
			Window: audit.Window{Start: start, Size: 600},
		},
		Version: version, Owner: "owner-1", Host: "host-1",
		Tally: &audit.WindowTally{First: 0, Last: version, Codec: "json", TimeBasis: audit.BasisPayload, LatencyBasis: audit.BasisCreateTime, FingerprintMode: audit.FingerprintMode},
	}
	for _, change := range changes {
		change(r)
	}
	if count > 5 && r.Cluster != "" { // who counts a partition, and keeps up
		r.Tally.Arrival = &audit.Latency{}
		for i := range count / 2 {
			r.Tally.Arrival.Add(int64(i*i*41) - 9)
		}
	}
	for i := range count {
		r.Tally.Add(&audit.Event{Bytes: 100 + int(i), Hash: (uint64(start) + i + 1) * 0x9e3779b97f4a7c15, Moment: (uint64(start) + i) << 57, Class: audit.Class(i % 4), Latency: int64(i*i*37) - 5})
	}
	return r
}

func partition(n int32) func(*audit.Record) { return func(r *audit.Record) { r.Partition = n } }

func progressRecord(version int64, sources ...audit.SourceProgress) *audit.Record {
	r := record(0, version, 0)
	r.Kind, r.Window, r.Tally, r.Partition = audit.KindProgress, audit.Window{}, nil, audit.NoPartition
	r.Progress = &audit.Progress{AskedAfter: version - 1, Partitions: 12, Sources: sources}
	return r
}

// world is some records of several tiers, datacenters, clusters and partitions.
func world(seed uint64) (list []*audit.Record) {
	rng := rand.New(rand.NewPCG(seed, 7))
	for range 60 {
		dc := rng.IntN(3)
		list = append(list, record(600*int64(rng.IntN(4)), rng.Int64N(1000), uint64(rng.IntN(30)), func(r *audit.Record) {
			r.Tier = []string{"client", "regional", "aggregate"}[rng.IntN(3)]
			r.Datacenter, r.Cluster = fmt.Sprintf("dc%d", dc), fmt.Sprintf("cluster%d%d", dc, rng.IntN(2))
			r.Partition = int32(rng.IntN(4))
			r.Tally.Partial = rng.IntN(9) == 0
			r.Tally.First = rng.Int64N(100)
			if r.Tier == "client" {
				r.Partition, r.Instance, r.Tally.First, r.Tally.Last = audit.NoPartition, fmt.Sprintf("app-%d", rng.IntN(3)), -1, -1
			}
			r.Segment = int64(rng.IntN(2))
		}))
	}
	// One content per identity and version: two accidents of the dice are told apart by segment.
	seen := map[string]bool{}
	for _, r := range list {
		for seen[r.IdentityKey()] {
			r.Segment++
		}
		seen[r.IdentityKey()] = true
	}
	return list
}

func questions() (list []query.Windows) {
	zero, none := int32(0), audit.NoPartition
	for _, by := range [][]query.Dimension{
		nil, {query.ByDatacenter}, {query.ByCluster}, {query.ByPartition}, {query.ByDatacenter, query.ByPartition}, {query.ByPartition, query.ByCluster, query.ByDatacenter},
	} {
		for _, q := range []query.Windows{
			{}, {Tier: "regional"}, {Datacenter: "dc1"}, {Cluster: "cluster01"}, {Partition: &zero}, {Partition: &none}, {Tier: "client", Datacenter: "dc2", Cluster: "cluster20"},
			{Tier: "nowhere"}, {From: 600, To: 1200}, {From: 601, To: 1800},
		} {
			q.Topic, q.By = "orders", by
			if q.To == 0 {
				q.To = math.MaxInt64
			}
			list = append(list, q)
		}
	}
	return list
}
