package main

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"
)

func TestDocumentsAreJSONOfTheirSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 1000 {
		for _, size := range []int{small, large} {
			b := document(rng, 1795285200123, i, fillOrder{Size: size})
			var v struct{ TS int64 }
			if err := json.Unmarshal(b, &v); err != nil || v.TS != 1795285200123 || len(b) != size {
				t.Fatalf("%d bytes, %v: %s", len(b), err, b)
			}
		}
	}
}

func TestEventTimesLieInTheWindowsAndBeforeTheirRecords(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	const base = 3 * windowMs
	for _, spread := range []bool{false, true} {
		o := fillOrder{Partitions: 4, Messages: 4 * 600, Size: small, Windows: windows, Base: base, Spread: spread}
		seen := map[int64]bool{}
		for i := range o.Messages {
			event, stamp := times(rng, i, o)
			if event < base || event >= base+windows*windowMs || stamp < event || stamp-event > 15*time.Minute.Milliseconds() {
				t.Fatalf("spread %t: event %d, record %d", spread, event, stamp)
			}
			seen[event/windowMs] = true
		}
		if len(seen) != windows {
			t.Errorf("spread %t: %d windows, want %d", spread, len(seen), windows)
		}
	}
}

func TestTruthFindsEveryDifference(t *testing.T) {
	want := truth{"/0/600": {10, 2000}}.of("a")
	c := cellOf("a", 0, 600)
	for name, said := range map[string]truth{
		"nothing said": {},
		"lost":         {c: {9, 1800}},
		"other bytes":  {c: {10, 1999}},
		"more said":    {c: {10, 2000}, cellOf("a", 1, 600): {1, 200}},
	} {
		if want.differs(said) == "" {
			t.Errorf("%s: no difference found", name)
		}
	}
	if d := want.differs(truth{c: {10, 2000}}); d != "" {
		t.Errorf("the same: %s", d)
	}
}

func TestOneCPUIsNotShared(t *testing.T) {
	if c, s := split([]int{0, 1, 2}); len(c) != 1 || len(s) != 2 {
		t.Errorf("client %v, broker %v", c, s)
	}
	if c, s := split([]int{0}); c != nil || s != nil {
		t.Errorf("client %v, broker %v, want nobody pinned", c, s)
	}
}
