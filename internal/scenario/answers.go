package scenario

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/collect"
	"github.com/chaperone-audit/chaperone/processors/collect/table"
	"github.com/chaperone-audit/chaperone/query"
)

// An answer is a record as those who are asked hold it, and where on the audit
// topic it was.
type answer struct {
	*audit.Record
	offset int64
}

// answers are the newest records that the collect table holds: what the views
// answer from.
func (w *world) answers() ([]answer, error) {
	newest := map[string]answer{}
	for _, key := range slices.Sorted(maps.Keys(w.collected)) {
		if table.Judged(key) {
			continue
		}
		row, err := table.Parse(w.collected[key])
		if err != nil {
			return nil, fmt.Errorf("%w (key %q)", err, key)
		}
		identity, _, err := table.Cut(key)
		if err != nil {
			return nil, err
		}
		r, err := w.decode(row.JSON)
		if err != nil {
			return nil, fmt.Errorf("%w (key %q)", err, key)
		}
		if old, ok := newest[identity]; !ok || w.newer(r, row.Offset, old) {
			newest[identity] = answer{r, row.Offset}
		}
	}
	return sorted(newest), nil
}

// history are the newest of all records that were ever on the audit topic: what
// a store answers from.
func (w *world) history() ([]answer, error) {
	newest := map[string]answer{}
	for _, log := range w.audit {
		for _, m := range log {
			r, err := w.decode(m.Value)
			if err != nil {
				return nil, err
			}
			if r.Kind == collect.KindTick {
				continue
			}
			if old, ok := newest[r.IdentityKey()]; !ok || w.newer(r, m.Offset, old) {
				newest[r.IdentityKey()] = answer{r, m.Offset}
			}
		}
	}
	return sorted(newest), nil
}

// decode reads a record, each once: they are asked for again and again.
func (w *world) decode(b []byte) (*audit.Record, error) {
	if r := w.decoded[string(b)]; r != nil {
		return r, nil
	}
	r, err := audit.Decode(b)
	if err == nil {
		w.decoded[string(b)] = r
	}
	return r, err
}

func (w *world) newer(r *audit.Record, offset int64, old answer) bool {
	if w.lastWins {
		return offset > old.offset
	}
	return r.Version > old.Version
}

func sorted(newest map[string]answer) []answer {
	list := make([]answer, 0, len(newest))
	for _, identity := range slices.Sorted(maps.Keys(newest)) {
		list = append(list, newest[identity])
	}
	return list
}

// windows asks as REST does.
func windows(topic string, from []answer, by ...query.Dimension) []query.Row {
	q := query.Windows{Topic: topic, From: math.MinInt64, To: math.MaxInt64, By: by}
	return query.Group(q, func(yield func(*audit.Record) bool) {
		for _, a := range from {
			if !yield(a.Record) {
				return
			}
		}
	})
}

// missed lists the ranges of a topic that nobody can count, as REST does.
func missed(topic string, from []answer) (list []answer) {
	for _, a := range from {
		if a.Kind == audit.KindMissed && a.Topic == topic {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b answer) int {
		return cmp.Or(strings.Compare(a.Tier, b.Tier), strings.Compare(a.Datacenter, b.Datacenter), cmp.Compare(a.Partition, b.Partition),
			cmp.Compare(a.Missed.From, b.Missed.From), cmp.Compare(a.Generation, b.Generation))
	})
	return list
}

// A progress is how far a partition is counted, as was said last.
type progress struct {
	answer
	audit.SourceProgress
}

// progressOf lists the sources of a topic, as REST does.
func progressOf(topic string, from []answer) (list []progress) {
	type key struct {
		audit.Source
		place string
	}
	newest := map[key]progress{}
	for _, a := range from {
		if a.Kind != audit.KindProgress || a.Topic != topic {
			continue
		}
		for _, p := range a.Progress.Sources {
			k := key{a.Source(), placeName(a.Tier, a.Datacenter)}
			k.Partition = p.Partition
			if old, ok := newest[k]; !ok || a.offset > old.offset {
				newest[k] = progress{a, p}
			}
		}
	}
	for _, p := range newest {
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b progress) int {
		return cmp.Or(strings.Compare(a.Tier, b.Tier), strings.Compare(a.Datacenter, b.Datacenter),
			strings.Compare(a.TopicID.String(), b.TopicID.String()), cmp.Compare(a.SourceProgress.Partition, b.SourceProgress.Partition))
	})
	return list
}
