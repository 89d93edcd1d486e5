package shards

import (
	"fmt"
	"testing"

	"github.com/chaperone-audit/chaperone/audit"
)

// The values are for ever: another hash would look for rows in other partitions.
func TestHashNeverChanges(t *testing.T) {
	for key, want := range map[string]uint32{
		"":                                  0x5db4a501,
		"local:orders/0/AAAA/0/L/x":         0x12dd80d0,
		"orders/-/window/0/600/a":           0x45bea956,
		"c1:a-very-long.topic_name/11/id/0": 0x60f3703a,
	} {
		if got := Hash([]byte(key)); got != want {
			t.Errorf("Hash(%q) = %#x, want %#x", key, got, want)
		}
		if got := audit.PartitionOf(key, 1000); got != int32(want%1000) {
			t.Errorf("audit.PartitionOf(%q, 1000) = %d, want %d: applications report to another partition", key, got, want%1000)
		}
	}
}

func TestKeysThatBeginAlikeShareAPartition(t *testing.T) {
	for n := int32(1); n < 100; n += 7 {
		a := PartitionOf("c:orders/3/id/0/L/owner", n)
		if b := PartitionOf("c:orders/3/other/12/0/600/x", n); a != b || a < 0 || a >= n {
			t.Errorf("of %d partitions: %d and %d", n, a, b)
		}
	}
}

func TestKeysSpread(t *testing.T) {
	const n, keys = 64, 64 * 200
	var hits [n]int
	for i := range keys {
		hits[PartitionOf(fmt.Sprintf("cluster:topic-%d/%d/x", i/12, i%12), n)]++
	}
	for p, h := range hits {
		if h < 100 || h > 300 {
			t.Errorf("partition %d of %d has %d of %d keys", p, n, h, keys)
		}
	}
}

func TestHasherIsHash(t *testing.T) {
	h := NewHasher()
	for _, key := range []string{"a/b/c", "a", "", "x/y"} {
		h.Reset()
		_, _ = h.Write([]byte(key[:len(key)/2]))
		_, _ = h.Write([]byte(key[len(key)/2:]))
		if got := h.Sum32(); got != Hash([]byte(key)) {
			t.Errorf("%q: %#x", key, got)
		}
	}
}
