package count

import (
	"fmt"

	"github.com/chaperone-audit/chaperone/audit"
)

// balance holds what the reader handed over against what became of it, and rows
// against ledgers; see counter.Imbalance. It is called at each flush, and nil is
// well. What is found once is not found again.
func (x *source) balance() error {
	s := x.c.Stats()
	if n := s.Messages(); n != x.handed {
		err := fmt.Errorf("the reader handed over %d messages and %d are accounted for: %d counted, %d replayed, %d read again, %d below the next offset, %d dropped",
			x.handed, n, s.Counted, s.Replayed, s.Again, s.Below, s.Dropped)
		x.handed = n
		return err
	}
	if off := x.c.Balance(); off != nil {
		return off
	}
	return nil
}

// imbalance says that the books of a source do not balance.
func (p *Processor) imbalance(src audit.Source, off error) {
	p.metrics.imbalances.Inc()
	p.books.Raise(fmt.Sprintf("%s: %v; the counts of its newest windows cannot be trusted: restart this instance, and if it comes again, report a bug with this line", src, off),
		"source", src)
}
