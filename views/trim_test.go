package views

import (
	"fmt"
	"testing"
	"time"
)

func TestMemoryBoundsDetail(t *testing.T) {
	s, put := filled(t, 6*time.Hour)
	rep := s.current.Load()
	rep.most = 30_000
	most := 0
	for i := range int64(200) { // a window every 10 minutes, with three sources
		for p := range int32(3) {
			put("a", 10*i+10, windowOf("orders", p, epoch+600*i, 0, 0, 4))
		}
		_, bytes := rep.size()
		most = max(most, bytes)
		rep.trim() // as Sources does now and then
	}
	last := int64(epoch + 600*199)
	horizon := s.Horizon()
	if promised := last + 600 - 6*3600; horizon <= promised {
		t.Fatalf("horizon %d does not say that windows were dropped; without a bound it would be %d", horizon, promised)
	}
	if _, bytes := rep.size(); most > rep.most+3*1000 || bytes > rep.most || bytes < rep.most/2 {
		t.Errorf("%d bytes held at most, %d at the end, of %d", most, bytes, rep.most)
	}
	for w := horizon / 600 * 600; w <= last; w += 600 {
		if w >= horizon && count(t, s, "orders", w, w+600) != 15 {
			t.Errorf("window %d is not before the horizon %d and not complete", w, horizon)
		}
	}
	if n := count(t, s, "orders", epoch, epoch+600); n != 0 {
		t.Errorf("the oldest window is held: %d", n)
	}

	// Rows that come late for what was dropped are not held either, else a part of a
	// window would pass for all of it.
	put("a", 2000, windowOf("orders", 7, epoch, 0, 0, 4))
	if n := count(t, s, "orders", epoch, epoch+600); n != 0 {
		t.Errorf("a part of a dropped window is held: %d", n)
	}
}

func TestGrowingTrimsBetweenChecks(t *testing.T) {
	s, put := filled(t, 6*time.Hour)
	rep := s.current.Load()
	rep.most = 100_000
	for i := range int64(30) {
		for p := range int32(200) {
			put("a", 10*i+10, windowOf(fmt.Sprint("orders", i%7), p, epoch+600*i, 0, 0, 4))
		}
	}
	if _, bytes := rep.size(); bytes > rep.most+trimEvery*1000 {
		t.Errorf("%d bytes held, of %d", bytes, rep.most)
	}
	if s.Horizon() <= epoch {
		t.Error("the horizon does not say that windows were dropped")
	}
}

func TestWithoutABoundNothingIsTrimmed(t *testing.T) {
	s, put := filled(t, 6*time.Hour)
	for p := range int32(1000) {
		put("a", 10, windowOf("orders", p, epoch, 0, 0, 4))
	}
	s.current.Load().trim()
	if n := count(t, s, "orders", epoch, epoch+600); n != 5000 {
		t.Errorf("counted %d, want 5000", n)
	}
}
