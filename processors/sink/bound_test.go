package sink

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
)

func TestABatcherWhoseStoreIsAwayHoldsTwoBatches(t *testing.T) {
	for name, o := range map[string]Options{
		"of so many records": {BatchRecords: 7, BatchBytes: 1 << 20},
		"of so many bytes":   {BatchRecords: 1000, BatchBytes: 65}, // of 10 bytes each
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o.WriteTimeout = 1000 * time.Hour
				r := newRig(t, o, func(int, []*audit.Record) (bool, error) { return false, errHang })
				ctx, stop := context.WithCancel(t.Context())
				taken := 0
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for pos := newPosition(); ; taken++ {
						select {
						case r.in <- recordItem{row: numbered(int64(taken)), offset: int64(taken), size: 10, from: pos}:
						case <-ctx.Done():
							return
						}
					}
				}()
				synctest.Wait() // until nobody can go on
				stop()
				<-ended
				if taken != 14 {
					t.Errorf("%d records held, want two batches of 7", taken)
				}
			})
		})
	}
}
