package count

import (
	"cmp"
	"slices"
	"time"
)

// A candidate is a source that has something to store.
type candidate struct {
	x       *source
	name    string
	waiting time.Time // since when; the zero time has waited longest
	rows    int       // none, if only its position has moved
}

// choose picks the sources of a flush. They are whole: a ledger may only follow
// all rows of its source. Those that have waited longest come first, and nobody
// is passed over because it has many rows; so each flush brings a source nearer
// to its turn. Together they have no more rows than the budget, unless one alone
// has. One without rows is no reason to let one with many wait: it may be there
// at each flush, until the coordinator answers.
func choose(all []candidate, budget int) []candidate {
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(a.waiting.Compare(b.waiting), cmp.Compare(a.name, b.name))
	})
	rows := 0
	for i, c := range all {
		if rows > 0 && rows+c.rows > budget {
			return all[:i]
		}
		rows += c.rows
	}
	return all
}
