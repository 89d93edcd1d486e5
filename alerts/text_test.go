package alerts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

func config(rules ...alerts.Rule) alerts.Config {
	return alerts.Config{Mode: alerts.On, Span: alerts.DefaultSpan, Wait: alerts.DefaultWait, Update: alerts.DefaultUpdate, Rules: rules, Notifiers: []string{"chat"}}
}

func TestTheTextNamesTheTiersAndTheCommand(t *testing.T) {
	s := newStory(t)
	s.c.URL = "https://chaperone.example/ui"
	s.play(`rule loss missing severity=page
class critical pay[.].*
at 10:14
verdict pay.a 10:00 final proxy=1001 regional=1000 aggregate=995 missing:regional>aggregate:5@east
verdict pay.b 10:00 final proxy=10 regional=10 aggregate=9 missing:regional>aggregate:1@east
at 10:15
----
`)
	for _, e := range s.st.Entries {
		const want = `pay.a, window 2026-01-31T10:00:00Z: 5 messages passed regional and are missing at aggregate, east
  proxy 1001, regional 1000, aggregate 995
  chaperone why pay.a 2026-01-31T10:00:00Z
pay.b, window 2026-01-31T10:00:00Z: 1 message passed regional and is missing at aggregate, east
  proxy 10, regional 10, aggregate 9
  chaperone why pay.b 2026-01-31T10:00:00Z
class critical, rule loss, since 2026-01-31 10:14 UTC, 1 window
https://chaperone.example/ui`
		if e.Alert.Text != want {
			t.Errorf("got\n%s\nwant\n%s", e.Alert.Text, want)
		}
	}
}

func TestAnAlertIsSmallHoweverManyTopicsItTouches(t *testing.T) {
	r, err := alerts.New(config(alerts.Rule{Name: "loss", Subject: alerts.Missing, Severity: query.Page}))
	if err != nil {
		t.Fatal(err)
	}
	now := midnight.Add(10 * time.Hour)
	var list []*compare.Verdict
	for i := range 3000 {
		for k := range int64(6) {
			list = append(list, &compare.Verdict{Topic: fmt.Sprintf("a-topic-with-a-long-name-%04d", i), Start: now.Unix() - 4200 + k*600, Size: 600, Pipeline: "main", State: compare.Final, Final: now.UnixMilli(), Judged: now.UnixMilli(),
				Kind: compare.Missing, Findings: []compare.Finding{{Kind: compare.Missing, From: "a", To: "b", Messages: 3}}, Tiers: []compare.Count{{Tier: "a", Messages: 10}, {Tier: "b", Messages: 7}}})
		}
	}
	st, _ := r.Step(nil, alerts.NewSnapshot(list, nil), now)
	if len(st.Entries) != 1 {
		t.Fatalf("%d alerts, want 1", len(st.Entries))
	}
	for _, e := range st.Entries {
		b, err := e.Encode()
		if err != nil || len(b) > 20_000 {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		if a := e.Alert; a.Affected != 3000 || a.Windows != 6 || a.Messages != 54000 || len(a.Topics) != query.MostTopics {
			t.Errorf("got %d topics, %d windows, %d messages, %d named", a.Affected, a.Windows, a.Messages, len(a.Topics))
		}
	}
}

func TestTemplatesAreTriedAtTheStart(t *testing.T) {
	c := config()
	c.Text = "{{.Misspelt}}"
	c.Summary = "{{.Rule}} {{upper .Subject}}"
	_, err := alerts.New(c)
	if p, ok := errors.AsType[*alerts.Problem](err); !ok || p.Key != "templates.text" || !strings.Contains(err.Error(), "Misspelt") {
		t.Errorf("got %v", err)
	}
}

func TestAllThatIsWrongIsSaidTogether(t *testing.T) {
	c := config(alerts.DefaultRules()...)
	c.Rules = append(c.Rules, alerts.Rule{Name: "x y", Subject: alerts.Lag, Severity: "loud", Notify: []string{"nobody"}, Classes: []string{"none"}, Topics: []string{"("}, Ratio: 2})
	c.Mutes = []alerts.Mute{{From: midnight, To: midnight.Add(-time.Hour)}}
	c.Mode = "maybe"
	_, err := alerts.New(c)
	want := []string{"name", "classes[0]", "severity", "above", "ratio", "ratio", "notify[0]", "topics[0]"}
	text := fmt.Sprint(err)
	for _, key := range want {
		if !strings.Contains(text, fmt.Sprintf("rules[%d].%s: ", len(c.Rules)-1, key)) {
			t.Errorf("nothing is said of %s:\n%s", key, text)
		}
	}
	if !strings.Contains(text, "mutes[0].name") || !strings.Contains(text, "mutes[0].to") || !strings.Contains(text, "mode: ") {
		t.Errorf("got\n%s", text)
	}
}

func TestTheDefaultRulesAreRight(t *testing.T) {
	if _, err := alerts.New(config(alerts.DefaultRules()...)); err != nil {
		t.Error(err)
	}
}

func TestWhoIsAskedMayNotYetKnowWhatWasKnown(t *testing.T) {
	s := newStory(t)
	s.play("rule loss missing\nat 10:14\nverdict orders 10:00 final regional=1000 aggregate=995 missing:regional>aggregate:5\nat 10:15\n----\n")
	before := s.st
	after, notes := s.rules.Step(before, alerts.NewSnapshot(nil, nil), s.now)
	if changed, gone := after.Changes(before); len(changed)+len(gone)+len(notes) > 0 {
		t.Errorf("an empty view has changed %v, %v", changed, gone)
	}
}
