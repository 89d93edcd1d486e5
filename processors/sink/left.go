package sink

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// undone is what a claim had read, and not seen written, when it was to stop.
type undone struct {
	partition int32
	records   uint64
	from      int64 // offset on the topic
}

// left notes what a claim leaves, at the end of its work.
func (p *Processor[T]) left(w *feed[T]) {
	u := undone{partition: w.c.Partition, from: max(w.first, w.committed)}
	if u.records = w.submitted - w.pos.ended().all(); u.records == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.undone = append(p.undone, u)
}

// sayLeft says, when the instance has stopped, what it could not write.
func (p *Processor[T]) sayLeft() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortFunc(p.undone, func(a, b undone) int { return cmp.Compare(a.partition, b.partition) })
	records := uint64(0)
	var places []string
	for _, u := range p.undone {
		records += u.records
		places = append(places, fmt.Sprintf("partition %d from offset %d", u.partition, u.from))
		p.o.Log.Warn("not written; the next owner reads it again", "partition", u.partition, "records", u.records, "from", u.from)
	}
	if records == 0 {
		return nil
	}
	return shards.Left(fmt.Sprintf("%s: %d records of %d partitions are not known to be in the store, and the next owner reads them again", p.stream.name, records, len(places)), places)
}
