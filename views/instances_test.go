package views

import (
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

func TestInstancesAreKnownByTheirLastWord(t *testing.T) {
	s, put := filled(t, time.Hour)
	say := func(minute int64, kind audit.Kind, name string, version int64, c audit.ClientCount) {
		r := windowOf("orders", audit.NoPartition, 0, 0, 0, version)
		r.Kind, r.Window, r.Tally, r.Instance, r.Owner, r.Client = kind, audit.Window{}, nil, name, name, &c
		if kind == audit.KindProgress {
			r.Progress = &audit.Progress{Sources: []audit.SourceProgress{{Partition: audit.NoPartition, Next: version, CaughtUp: audit.CaughtUpYes}}}
		}
		put("a", minute, r)
	}
	const minute = 60_000
	say(1, audit.KindHello, "new", 1, audit.ClientCount{Every: minute})
	say(1, audit.KindHello, "quiet", 1, audit.ClientCount{Every: minute})
	say(2, audit.KindProgress, "quiet", 1, audit.ClientCount{Attempts: 5, Successes: 4, Every: minute})
	say(9, audit.KindProgress, "busy", 3, audit.ClientCount{Attempts: 50, Successes: 49, Failures: 1, Every: minute})
	say(3, audit.KindProgress, "ended", 2, audit.ClientCount{Attempts: 6, Successes: 6, Every: minute})
	say(4, audit.KindGoodbye, "ended", 7, audit.ClientCount{Attempts: 7, Successes: 7})

	list, err := s.Instances(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(epoch+10*60, 0)
	type said struct {
		state    query.State
		attempts uint64
	}
	got := map[string]said{}
	for _, i := range list {
		got[i.Instance] = said{i.State(now), i.Attempts}
	}
	want := map[string]said{"new": {query.Silent, 0}, "quiet": {query.Silent, 5}, "busy": {query.Running, 50}, "ended": {query.Ended, 7}}
	if len(got) != len(want) {
		t.Fatalf("instances %+v", got)
	}
	for name, w := range want {
		if got[name] != w {
			t.Errorf("%s is %+v, want %+v", name, got[name], w)
		}
	}
	if progress, err := s.Progress(t.Context(), "orders"); err != nil || len(progress) != 0 {
		t.Errorf("they are taken for partitions: %+v, %v", progress, err)
	}
	if none, err := s.Instances(t.Context(), "payments"); err != nil || len(none) != 0 {
		t.Errorf("of another topic: %+v, %v", none, err)
	}
}
