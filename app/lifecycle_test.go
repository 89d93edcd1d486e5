package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/processors/shards"
)

func TestAStopGivesWhatEachPartHasLeft(t *testing.T) {
	a := actors{log: slog.New(slog.DiscardHandler), failed: make(chan struct{})}
	hang := make(chan struct{})
	defer close(hang)
	until := func(err error) func(context.Context) error {
		return func(ctx context.Context) error { <-ctx.Done(); return err }
	}
	a.add("count", until(shards.Left("count: 2 sources", []string{"c:orders/0 from offset 7", "c:orders/1 from offset 9"})))
	a.add("views", until(nil))
	a.add("sink", func(context.Context) error { <-hang; return nil })
	a.startAll()
	err := a.stop(50 * time.Millisecond)
	if !errors.Is(err, shards.ErrLeft) {
		t.Fatalf("it gives %v", err)
	}
	for _, part := range []string{"count: 2 sources: c:orders/0 from offset 7, c:orders/1 from offset 9", "sink did not stop within 50ms"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	if strings.Contains(err.Error(), "views") {
		t.Errorf("%q speaks of what ended well", err)
	}
}
