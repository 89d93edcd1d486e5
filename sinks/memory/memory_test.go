package memory_test

import (
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
	"github.com/chaperone-audit/chaperone/sinks/memory"
	"github.com/chaperone-audit/chaperone/sinks/sinktest"
)

func TestSink(t *testing.T) {
	sinktest.Run(t, func(testing.TB) sinks.Sink { return memory.New(memory.Options{}) })
}

func TestOldWindowsAreForgotten(t *testing.T) {
	now := time.Unix(10_000, 0)
	s := memory.New(memory.Options{MaxAge: time.Hour, Now: func() time.Time { return now }})
	write := func(start int64) {
		t.Helper()
		r := &audit.Record{Kind: audit.KindWindow, Identity: audit.Identity{Topic: "orders", Tier: "regional", Window: audit.Window{Start: start, Size: 600}}, Tally: &audit.WindowTally{}}
		if err := s.Write(t.Context(), []*audit.Record{r}); err != nil {
			t.Fatal(err)
		}
	}
	write(9_600)
	now = now.Add(time.Hour)
	write(10_200) // 9,600 ended at 10,200, 3,400 s ago
	if rows, _ := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1 << 40}); len(rows) != 2 {
		t.Errorf("%d windows before their time", len(rows))
	}
	now = now.Add(5 * time.Minute)
	write(10_200)
	if rows, _ := s.Windows(t.Context(), query.Windows{Topic: "orders", To: 1 << 40}); len(rows) != 1 || rows[0].Start != 10_200 {
		t.Errorf("held: %+v", rows)
	}
}
