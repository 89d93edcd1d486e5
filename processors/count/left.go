package count

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

// sayLeft says, when the instance has stopped, what it has counted and could not
// store: in the log by source, and in the error in sum. The messages are above
// the durable ledger of their source, where the next owner reads on; rows of them
// that were stored all the same are known by their versions.
func (p *Processor) sayLeft() error {
	const mostLines = 20
	list, _ := p.all()
	slices.SortFunc(list, func(a, b *source) int { return cmp.Compare(a.prefix, b.prefix) })
	var rows int
	var messages uint64
	var places []string
	for _, x := range list {
		x.mu.Lock()
		r, n, from := 0, uint64(0), int64(0)
		if x.c != nil {
			r, n, from = x.c.DirtyRows()+x.out, x.c.Unstored(), x.c.Durable().Next
		}
		x.mu.Unlock()
		if r == 0 && n == 0 {
			continue
		}
		rows, messages = rows+r, messages+n
		places = append(places, fmt.Sprintf("%s from offset %d", x.Source, from))
		if len(places) <= mostLines {
			p.log.Warn("not stored; the next owner counts it again", "source", x.Source, "rows", r, "messages", n, "from", from)
		}
	}
	if len(places) == 0 {
		return nil
	}
	return shards.Left(fmt.Sprintf("count: %d sources have %d rows and %d messages that are not stored, and the next owner counts them again", len(places), rows, messages), places)
}
