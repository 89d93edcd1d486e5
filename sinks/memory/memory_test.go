package memory_test

import (
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/compare"
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

func TestOldVerdictsAndAlertsAreForgotten(t *testing.T) {
	now := time.Unix(10_000, 0)
	s := memory.New(memory.Options{MaxAge: time.Hour, Now: func() time.Time { return now }})
	write := func() {
		t.Helper()
		if err := s.WriteVerdicts(t.Context(), []*compare.Verdict{{Topic: "orders", Start: 9_600, Size: 600}, {Topic: "orders", Start: now.Unix(), Size: 600}}); err != nil {
			t.Fatal(err)
		}
		if err := s.WriteAlerts(t.Context(), []*query.Alert{{Key: "over", Resolved: 10_000_000}, {Key: "old and alive"}}); err != nil {
			t.Fatal(err)
		}
	}
	write()
	now = now.Add(time.Hour)
	write()
	if list, _ := s.Verdicts(t.Context(), query.Verdicts{To: 1 << 40}); len(list) != 3 {
		t.Errorf("%d verdicts before their time", len(list))
	}
	now = now.Add(10 * time.Minute)
	if err := s.WriteVerdicts(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	list, _ := s.Verdicts(t.Context(), query.Verdicts{To: 1 << 40})
	alerts, _ := s.Alerts(t.Context(), query.Alerts{})
	if len(list) != 1 || list[0].Start != 13_600 || len(alerts) != 1 || alerts[0].Key != "old and alive" {
		t.Errorf("held: %+v, %+v", list, alerts)
	}
}
