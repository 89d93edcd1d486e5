package produce

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/chaperone-audit/chaperone/audit"
)

// A Key says what is counted apart.
type Key struct {
	Topic     string
	Partition int32
	Window    audit.Window
}

func (k Key) String() string { return fmt.Sprintf("%s/%d %s", k.Topic, k.Partition, k.Window) }

// Counts are what an audit has to find under a Key.
type Counts struct {
	Count       uint64
	Bytes       uint64 // of keys and values
	NoTime      uint64 // where no codec is declared, malformed messages are among these
	Malformed   uint64 // 0 where no codec is declared
	OutOfBounds uint64 // never of a Generator
}

func (c *Counts) add(o Counts) {
	c.Count += o.Count
	c.Bytes += o.Bytes
	c.NoTime += o.NoTime
	c.Malformed += o.Malformed
	c.OutOfBounds += o.OutOfBounds
}

// A TruthRow is the truth under one Key.
type TruthRow struct {
	Cluster string // as the Config names it
	Key
	Counts
	// Garbled is how many messages are not JSON, whether or not that counts as malformed.
	Garbled uint64
}

// Differences compares counts with the truth and names every Key where they
// disagree, in order; none means that they agree exactly. A Key that is absent
// counts as zero.
func Differences(truth, got map[Key]Counts) (wrong []string) {
	keys := map[Key]bool{}
	for k := range truth {
		keys[k] = true
	}
	for k := range got {
		keys[k] = true
	}
	for _, k := range slices.SortedFunc(maps.Keys(keys), compareKeys) {
		if truth[k] != got[k] {
			wrong = append(wrong, fmt.Sprintf("%s: want %+v, got %+v", k, truth[k], got[k]))
		}
	}
	return wrong
}

// ByKey is the truth in the shape of Recount and Differences.
func ByKey(rows []TruthRow) map[Key]Counts {
	m := make(map[Key]Counts, len(rows))
	for _, r := range rows {
		c := m[r.Key]
		c.add(r.Counts)
		m[r.Key] = c
	}
	return m
}

func compareKeys(a, b Key) int {
	return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Window.Start, b.Window.Start), cmp.Compare(a.Partition, b.Partition))
}

// truth adds up what was acknowledged.
type truth struct {
	mu        sync.Mutex
	rows      map[Key]*TruthRow
	acked     int64
	uncertain int64
}

// sent is what the generator remembers of a message until it is acknowledged.
type sent struct {
	window audit.Window
	bytes  int
	kind   kind
}

func (t *truth) add(cluster, topic string, partition int32, m sent, declared bool) {
	c := Counts{Count: 1, Bytes: uint64(m.bytes)}
	garbled := uint64(0)
	switch {
	case m.kind == garbledKind && declared:
		c.Malformed, garbled = 1, 1
	case m.kind == garbledKind:
		c.NoTime, garbled = 1, 1
	case m.kind == timelessKind:
		c.NoTime = 1
	}
	k := Key{topic, partition, m.window}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rows == nil {
		t.rows = map[Key]*TruthRow{}
	}
	row := t.rows[k]
	if row == nil {
		row = &TruthRow{Cluster: cluster, Key: k}
		t.rows[k] = row
	}
	row.add(c)
	row.Garbled += garbled
	t.acked++
}

func (t *truth) list() []TruthRow {
	t.mu.Lock()
	defer t.mu.Unlock()
	rows := make([]TruthRow, 0, len(t.rows))
	for _, r := range t.rows {
		rows = append(rows, *r)
	}
	slices.SortFunc(rows, func(a, b TruthRow) int { return compareKeys(a.Key, b.Key) })
	return rows
}
