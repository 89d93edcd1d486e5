package heap

import (
	"context"
	"runtime/debug"
	"testing"
)

func TestTheHeapGrowsToTheFloorFirst(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		live  int64
		usual int
		want  int
	}{
		{0, 100, 100},         // nothing has been collected yet
		{mib, 100, 300},       // a bound: what is small grows fast
		{30 * mib, 100, 200},  // to 90 MiB
		{40 * mib, 100, 125},  // to 90 MiB
		{48 * mib, 100, 100},  // to 96 MiB, by Go's rule
		{500 * mib, 100, 100}, // above the floor it holds
		{20 * mib, 50, 300},
		{90 * mib, 50, 50},
		{20 * mib, -1, -1},
	} {
		if got := percent(c.live, 96*mib, c.usual); got != c.want {
			t.Errorf("live %d MiB, usually %d: %d, want %d", c.live/mib, c.usual, got, c.want)
		}
	}
}

func TestKeepLeavesThingsAsTheyWere(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(70)
	defer debug.SetGCPercent(before)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	Keep(ctx, Floor)
	if now := debug.SetGCPercent(70); now != 70 {
		t.Errorf("it was 70, and is %d", now)
	}
	t.Setenv("GOGC", "200")
	Keep(t.Context(), Floor) // returns at once
}
