package collect

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

func TestAFloodOfIdentitiesWaitsInBoundedBytes(t *testing.T) {
	const most, claims = 32 << 20, 4
	hello := func(i int) *audit.Record {
		return &audit.Record{Kind: audit.KindHello, Owner: "o", Identity: audit.Identity{Tier: "edge", Topic: "orders", Partition: audit.NoPartition, Instance: fmt.Sprintf("client-%07d", i)}}
	}
	window := func(i int) *audit.Record {
		return &audit.Record{
			Kind: audit.KindWindow, Version: int64(i), Owner: "o",
			Identity: audit.Identity{Tier: "edge", Topic: "orders", Instance: fmt.Sprintf("client-%07d", i), Partition: audit.NoPartition, Window: audit.Window{Start: simEpoch, Size: 600}},
			Tally:    &audit.WindowTally{First: 0, Last: int64(i)},
		}
	}
	for name, record := range map[string]func(int) *audit.Record{"of short records": hello, "of windows": window} {
		t.Run(name, func(t *testing.T) {
			o := Options{PendingBytes: most, MaxPending: 1 << 30}
			o.fill()
			w := &claim{p: &Processor{o: o}, c: &shards.Claim{Claims: claims}, m: newMachine("a")}
			heap := func() int {
				runtime.GC()
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				return int(m.HeapAlloc)
			}
			before := heap()
			n := 0
			for ; !w.full() && n < 1_000_000; n++ {
				if out := apply(t, w.m, int64(n), at(0), record(n)); out != Collected {
					t.Fatalf("record %d: %s", n, out)
				}
			}
			waiting := heap() - before
			if waiting > most/claims*5/4 {
				t.Errorf("%d identities wait in %d bytes, the share of the claim is %d", n, waiting, most/claims)
			}
			t.Logf("%d identities wait in %d bytes", n, waiting)
			if flush(w.m); w.full() {
				t.Error("full though all is stored")
			}
			runtime.KeepAlive(w)
		})
	}
	t.Run("and one record of any size is taken by the smallest share", func(t *testing.T) {
		o := Options{PendingBytes: 1}
		o.fill()
		w := &claim{p: &Processor{o: o}, c: &shards.Claim{Claims: 1000}, m: NewMachine(MachineOptions{Owner: "a", Partitions: 1, Horizon: time.Hour})}
		if w.full() {
			t.Error("full while nothing waits: it would wait for ever")
		}
	})
}
