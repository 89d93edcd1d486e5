package audit

import "testing"

// Values that an independent implementation must give as well.
func TestThePartitionOfAKeyNeverChanges(t *testing.T) {
	for key, want := range map[string]int32{
		"":                               0x5db4a501 % 16,
		"local:orders/0/AAAA/0/L/x":      0x12dd80d0 % 16,
		"orders/-/window/0/600/a":        0x45bea956 % 16,
		"orders/-/goodbye/0/0/b/x/y/z/-": 0x45bea956 % 16,
	} {
		if got := PartitionOf(key, 16); got != want {
			t.Errorf("PartitionOf(%q, 16) = %d, want %d", key, got, want)
		}
	}
}
