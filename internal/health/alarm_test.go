package health_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chaperone-audit/chaperone/internal/health"
)

func state(r *health.Registry) health.Report {
	list, _ := r.Reports()
	return list[0]
}

func TestAnAlarmStaysForAnHourAfterTheLastTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r health.Registry
		a := health.NewAlarm(r.Part("books"), slog.New(slog.DiscardHandler), "sums that do not balance")
		defer a.Close()
		if got := state(&r); got.State != health.OK {
			t.Fatalf("before anything happened: %+v", got)
		}
		a.Raise("orders/0: 3 too few")
		time.Sleep(40 * time.Minute)
		a.Raise("orders/1: 4 too few")
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if got := state(&r); got.State != health.Degraded || got.Reason != "2 sums that do not balance, the last: orders/1: 4 too few" {
			t.Fatalf("within the hour: %+v", got)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := state(&r); got.State != health.OK || a.Total() != 2 {
			t.Fatalf("after the hour: %+v, %d in all", got, a.Total())
		}
		a.Raise("orders/2: 5 too few")
		if got := state(&r); got.State != health.Degraded || !strings.HasPrefix(got.Reason, "3 ") {
			t.Fatalf("when it happens again: %+v", got)
		}
	})
}

func TestTheLogHearsOfManyOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		a := health.NewAlarm(nil, slog.New(slog.NewTextHandler(&out, nil)), "records set aside")
		defer a.Close()
		for range 100 {
			a.Raise("no record", "offset", 7)
		}
		if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), "offset=7") {
			t.Errorf("%d lines for 100 at once:\n%s", n, &out)
		}
		time.Sleep(time.Minute)
		a.Raise("no record")
		if !strings.Contains(out.String(), "since_last_line=100") {
			t.Errorf("the next line does not tell of those in between:\n%s", &out)
		}
	})
}
