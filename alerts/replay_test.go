package alerts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// What a replay says would have fired is what fired.
func TestAReplayIsWhatHappened(t *testing.T) {
	s := newStory(t)
	var said []*compare.Verdict
	note := func(at, verdict string) {
		s.command([]string{"at", at})
		words := strings.Fields(verdict)
		s.verdict(words)
		s.verdicts[words[0]+" "+words[1]].Version = s.now.UnixMilli()
		said = append(said, s.verdicts[words[0]+" "+words[1]])
	}
	s.c.Rules = append(s.c.Rules, alerts.Rule{Name: "loss", Subject: alerts.Missing, Severity: query.Page, Grace: 5 * time.Minute, Repeat: 2 * time.Hour, Mode: alerts.Shadow})
	s.command([]string{"at", "09:00"})
	note("10:14", "a 10:00 final regional=100 aggregate=95 missing:regional>aggregate:5@east")
	note("10:24", "b 10:10 final regional=100 aggregate=99 missing:regional>aggregate:1@east")
	note("11:00", "a 10:00 amended regional=100 aggregate=100")
	note("11:10", "b 10:10 amended regional=100 aggregate=100")
	note("13:00", "c 12:40 final regional=100 aggregate=100")
	s.step()
	r, err := alerts.New(s.c)
	if err != nil {
		t.Fatal(err)
	}
	plays := r.Replay(said, nil)
	if len(plays) != len(s.said) || len(plays) != 1 {
		t.Fatalf("got %d, want %d", len(plays), len(s.said))
	}
	p, a := plays[0], s.st.Entries[plays[0].Key]
	if a == nil || p.Since != a.Alert.Since || p.State != query.Resolved || p.Shadow || p.Told != 3 {
		t.Errorf("got %+v", p)
	}
	if d := p.Resolved - a.Alert.Resolved; d < -60_000 || d > 60_000 {
		t.Errorf("resolved %d ms off", d)
	}
}
