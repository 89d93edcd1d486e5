package count_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/internal/kafkatest"
	"github.com/chaperone-audit/chaperone/processors/count"
	"github.com/chaperone-audit/chaperone/processors/shards"
)

// TestAStopSaysWhatItLeaves: the broker is away when the instance is to store
// what it has counted.
func TestAStopSaysWhatItLeaves(t *testing.T) {
	w := newWorld(t, kafkatest.Kfake(t))
	orders := w.prefix + "orders"
	must(t, w.c.CreateTopic(t.Context(), orders, 1, nil))
	w.produce(orders, 0, 300)
	i := w.start(func(o *count.Options) { o.FlushEvery, o.DrainFor = time.Hour, 2*time.Second })
	w.await("300 messages to be counted", func() bool { return i.values(t)["unstored_messages"] == 300 })

	must(t, w.c.Stop())
	err := i.stop()
	if !errors.Is(err, shards.ErrLeft) {
		t.Fatalf("it ends with %v", err)
	}
	for _, part := range []string{"nothing is lost", "1 sources", "300 messages that are not stored", "c1:" + orders + "/0 from offset 0"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}

	must(t, w.c.Restart(t.Context()))
	w.instance(nil)
	w.agree()
}
