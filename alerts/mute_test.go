package alerts

import (
	"testing"
	"time"
)

func TestMutesHold(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here:", err)
	}
	at := func(text string) time.Time {
		x, err := time.ParseInLocation("2006-01-02 15:04", text, berlin)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	nightly := Mute{Hours: [2]time.Duration{23 * time.Hour, 4 * time.Hour}, Zone: berlin}
	saturdays := Mute{Days: []time.Weekday{time.Saturday}, Zone: berlin}
	for _, c := range []struct {
		outcome string
		m       Mute
		from    string
		lasts   time.Duration
		want    bool
	}{
		{"always", Mute{}, "2026-01-31 10:00", 1, true},
		{"before it begins", Mute{From: at("2026-01-31 10:10")}, "2026-01-31 10:00", 10 * time.Minute, false},
		{"in a window that it begins in", Mute{From: at("2026-01-31 10:09")}, "2026-01-31 10:00", 10 * time.Minute, true},
		{"after its end", Mute{To: at("2026-01-31 10:00")}, "2026-01-31 10:00", 1, false},
		{"at night", nightly, "2026-01-31 23:30", 1, true},
		{"after midnight too", nightly, "2026-01-31 03:59", 1, true},
		{"not by day", nightly, "2026-01-31 04:00", 1, false},
		{"in the night in which clocks change, by the wall", nightly, "2026-03-29 03:59", 1, true},
		{"and not after it", nightly, "2026-03-29 04:00", 1, false},
		{"on its day", saturdays, "2026-01-31 00:00", 1, true},
		{"not on the next", saturdays, "2026-02-01 00:00", 1, false},
		{"in a window of a week", saturdays, "2026-02-01 00:00", 7 * 24 * time.Hour, true},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			from := at(c.from).UnixMilli()
			if got := c.m.holds(from, from+max(1, c.lasts.Milliseconds())); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
