package health_test

import (
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/internal/health"
)

func TestReports(t *testing.T) {
	now := time.Unix(1000, 0)
	var heard []health.Report
	r := &health.Registry{Now: func() time.Time { return now }, Changed: func(x health.Report) { heard = append(heard, x) }}
	if list, worst := r.Reports(); len(list) != 0 || worst != health.OK {
		t.Errorf("nothing registered: %v %v", list, worst)
	}
	b, a := r.Part("b"), r.Part("a")
	if list, worst := r.Reports(); worst != health.Down || list[0].Part != "a" || list[0].Reason != "starting" {
		t.Errorf("before the first word: %v %v", list, worst)
	}
	a.OK()
	b.Degraded("slow")
	if _, worst := r.Reports(); worst != health.Degraded {
		t.Errorf("one is degraded: %v", worst)
	}
	now = now.Add(time.Minute)
	b.Degraded("slower")
	if list, _ := r.Reports(); list[1].Reason != "slower" || !list[1].Since.Equal(time.Unix(1000, 0)) {
		t.Errorf("a new reason of the same state: %+v", list[1])
	}
	b.OK()
	if list, worst := r.Reports(); worst != health.OK || !list[1].Since.Equal(now) || list[1].Reason != "" {
		t.Errorf("healed: %+v %v", list, worst)
	}
	if len(heard) != 5 {
		t.Errorf("%d changes heard, want 2 starts and 3 changes of state: %v", len(heard), heard)
	}
	b.Remove()
	if list, _ := r.Reports(); len(list) != 1 {
		t.Errorf("after Remove: %v", list)
	}
	var none *health.Part
	none.OK()
	none.Remove()
}
