package collect

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// undone is what a claim had not stored when it was to stop.
type undone struct {
	partition int32
	changes   int
	from      int64 // offset on the audit topic
}

// left notes what a claim leaves, at the end of its work.
func (p *Processor) left(w *claim) {
	changes, _ := w.m.Pending()
	changes += w.writes
	if changes == 0 {
		return // only the position, and to read the same again changes nothing
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.undone = append(p.undone, undone{w.c.Partition, changes, max(0, w.c.Start, w.durable)})
}

// sayLeft says, when the instance has stopped, what it could not store.
func (p *Processor) sayLeft() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortFunc(p.undone, func(a, b undone) int { return cmp.Compare(a.partition, b.partition) })
	changes := 0
	var places []string
	for _, u := range p.undone {
		changes += u.changes
		places = append(places, fmt.Sprintf("partition %d from offset %d", u.partition, u.from))
		p.o.Log.Warn("not stored; the next owner reads it again", "partition", u.partition, "changes", u.changes, "from", u.from)
	}
	if changes == 0 {
		return nil
	}
	return shards.Left(fmt.Sprintf("collect: %d changes of %d partitions are not stored, and the next owner reads the audit topic again", changes, len(places)), places)
}
