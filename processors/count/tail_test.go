package count

import (
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/counter"
)

// The tail of a topic that was made again is unknown if anything of the old one was
// counted. A crash may have left rows, and their records, and no ledger that counts them.
func TestWhatWasCountedOfATopicMadeAgain(t *testing.T) {
	ledger := func(next int64, total uint64) counter.Entry {
		return counter.Entry{Ledger: &counter.Ledger{Windows: 4, CutTime: counter.NoCut, Next: next, Total: total, Last: next - 1, Epoch: -1}}
	}
	first, second, row := counter.Key{Owner: "a", Ledger: true}, counter.Key{Owner: "b", Ledger: true}, counter.Key{Owner: "a"}
	for _, x := range []struct {
		name    string
		table   map[counter.Key]counter.Entry
		next    int64
		counted bool
	}{
		{"nothing", nil, -1, false},
		{"a beginning", map[counter.Key]counter.Entry{first: ledger(5, 0)}, 5, false},
		{"a beginning, and rows", map[counter.Key]counter.Entry{first: ledger(5, 0), row: {Row: &counter.Row{Last: 8}}}, 5, true},
		{"two ledgers", map[counter.Key]counter.Entry{first: ledger(9, 4), second: ledger(7, 2)}, 9, true},
		{"rows without a ledger", map[counter.Key]counter.Entry{row: {Row: &counter.Row{Last: 8}}}, -1, false},
	} {
		src := audit.Source{Cluster: "c", Topic: "orders"}
		s := &shard{table: map[audit.Source][]entry{}}
		for k, e := range x.table {
			s.table[src] = append(s.table[src], entry{k.String(), e.Append(nil)})
		}
		led, counted := s.newestLedger(src)
		next := int64(-1)
		if led != nil {
			next = led.Next
		}
		if next != x.next || counted != x.counted {
			t.Errorf("%s: next %d, counted %v, want %d, %v", x.name, next, counted, x.next, x.counted)
		}
	}
}
