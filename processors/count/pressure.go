package count

import (
	"sync/atomic"

	"github.com/chaperone-audit/chaperone/processors/logs"
)

// pressure watches the rows of closed segments that wait to be durable, of all
// sources of the instance. A source whose event times scatter makes one per
// message, faster than they can be stored; without a bound for all together, many
// such sources would each fill the memory up to theirs. Nothing is dropped: they
// are read no further until there is room.
//
// Rows of open segments are no part of it: there are at most K for each source, and
// waiting would not make them fewer.
type pressure struct {
	most int64
	rows atomic.Int64
}

// moved notes that a source has now so many such rows, and says whether all
// together are too many.
func (p *pressure) moved(from, to int) (over bool) {
	if from == to { // as a rule; then nobody waits for anybody
		return p.rows.Load() > p.most
	}
	return p.rows.Add(int64(to-from)) > p.most
}

// room is how many paused sources may go on: each may bring as many rows as a
// reader hands over at a time.
func (p *pressure) room() int {
	if free := p.most - p.rows.Load(); free >= 0 {
		return 1 + int(free/logs.MostRecords)
	}
	return 0
}
