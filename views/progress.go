package views

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
)

// A Progress says who counts a source, and how far.
type Progress = query.Progress

// Progress lists the sources of a topic, of all topics if it is empty, in order
// of topic, tier, cluster and partition.
func (s *Sources) Progress(ctx context.Context, topic string) ([]Progress, error) {
	type source struct {
		tier, datacenter string
		audit.Source
	}
	type said struct {
		Progress
		offset int64
	}
	newest := map[source]said{}
	err := s.each(ctx, topic, audit.KindProgress, func(r *audit.Record, row *table.Row) {
		for i := range r.Progress.Sources {
			if r.Progress.Sources[i].Partition == audit.NoPartition {
				continue // see Instances
			}
			p := said{offset: row.Offset, Progress: Progress{
				Tier: r.Tier, Datacenter: r.Datacenter, Source: r.Source(), Physical: r.Physical, Owner: r.Owner, Host: r.Host,
				Partitions: r.Progress.Partitions, AsOf: time.UnixMilli(row.Appended).UTC(), SourceProgress: r.Progress.Sources[i],
			}}
			p.Source.Partition = p.SourceProgress.Partition
			k := source{p.Tier, p.Datacenter, p.Source}
			if old, ok := newest[k]; !ok || p.offset > old.offset {
				newest[k] = p
			}
		}
	})
	if err != nil {
		return nil, fmt.Errorf("progress of topic %q: %w", topic, err)
	}
	list := make([]Progress, 0, len(newest))
	for _, p := range newest {
		list = append(list, p.Progress)
	}
	slices.SortFunc(list, func(a, b Progress) int {
		return cmp.Or(compareSources(a.Tier, b.Tier, a.Source, b.Source), strings.Compare(a.Datacenter, b.Datacenter))
	})
	return list, nil
}

// A Missed says which range of a source nobody can count any more.
type Missed = query.Missed

// Missed lists the ranges of a topic, of all topics if it is empty, in order of
// topic, tier, cluster, partition and offset.
func (s *Sources) Missed(ctx context.Context, topic string) ([]Missed, error) {
	var list []Missed
	err := s.each(ctx, topic, audit.KindMissed, func(r *audit.Record, row *table.Row) {
		list = append(list, Missed{
			Tier: r.Tier, Datacenter: r.Datacenter, Source: r.Source(), Generation: r.Generation, AsOf: time.UnixMilli(row.Appended).UTC(), Missed: *r.Missed,
		})
	})
	if err != nil {
		return nil, fmt.Errorf("missed ranges of topic %q: %w", topic, err)
	}
	slices.SortFunc(list, func(a, b Missed) int {
		return cmp.Or(compareSources(a.Tier, b.Tier, a.Source, b.Source), cmp.Compare(a.From, b.From), cmp.Compare(a.Generation, b.Generation))
	})
	return list, nil
}

func compareSources(tierA, tierB string, a, b audit.Source) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), strings.Compare(tierA, tierB), strings.Compare(a.Cluster, b.Cluster),
		strings.Compare(a.TopicID.String(), b.TopicID.String()), cmp.Compare(a.Partition, b.Partition))
}

// each decodes the newest records of a kind.
func (s *Sources) each(ctx context.Context, topic string, kind audit.Kind, do func(*audit.Record, *table.Row)) error {
	r, err := s.replica()
	if err != nil {
		return err
	}
	n := 0
	for e := range r.about(topic) {
		if n++; n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		id, err := table.ParseIdentity(e.identity)
		if err != nil {
			return err
		}
		if id.Kind != kind {
			continue
		}
		rec, err := e.decode(id)
		if err != nil {
			return err
		}
		do(rec, &e.row)
	}
	return nil
}
