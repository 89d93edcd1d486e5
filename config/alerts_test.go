package config_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/config"
)

func TestTheExamplesOfAlertsAreRight(t *testing.T) {
	text := config.Annotated
	for _, list := range []string{"classes", "rules", "mutes", "notifiers"} {
		text = strings.ReplaceAll(text, "\n  "+list+": []\n", "\n")
		text = strings.ReplaceAll(text, "\n  # "+list+":", "\n  "+list+":")
	}
	text = strings.ReplaceAll(text, "\n  #   ", "\n    ")
	c := mustLoad(t, text, nil)
	a, err := c.Alerting()
	if err != nil {
		t.Fatal(err)
	}
	r, err := alerts.New(a)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := c.Notifiers(); err != nil || n["oncall"] == nil {
		t.Errorf("notifiers %v, %v", n, err)
	}
	if list := r.List(); len(list) != len(alerts.DefaultRules())+1 || list[len(list)-1].Above != 30*time.Second || r.ClassOf("payments.eu") != "critical" {
		t.Errorf("got %d rules, the last %+v", len(list), list[len(list)-1])
	}
	if m := a.Mutes[0]; m.Hours != [2]time.Duration{22 * time.Hour, 4 * time.Hour} || fmt.Sprint(m.Days) != "[Saturday Sunday]" || m.Zone.String() != "Europe/Berlin" {
		t.Errorf("got %+v", m)
	}
}

func TestARuleOfTheNameOfADefaultOneTakesItsPlace(t *testing.T) {
	c := mustLoad(t, "alerts:\n  mode: on\n  rules:\n  - {name: normal-missing, subject: missing, severity: page, ratio: 0.5%}\n", nil)
	a, err := c.Alerting()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range a.Rules {
		if r.Name == "normal-missing" {
			n++
			if r.Ratio != 0.005 || r.Severity != "page" {
				t.Errorf("got %+v", r)
			}
		}
	}
	if n != 1 || len(a.Rules) != len(alerts.DefaultRules()) {
		t.Errorf("%d of the name, %d in all", n, len(a.Rules))
	}
}

func TestEverythingWrongWithAlertsIsTold(t *testing.T) {
	_, _, err := load(t, `alerts:
  mode: loud
  rules:
  - name: a
    subject: lag
    severity: page
    notify: [nobody]
    ratio: 200%
    messages: -1
  - {name: b, subject: gone, severity: page}
  mutes:
  - {name: m, hours: 22-4}
  notifiers:
  - {name: x, kind: pigeon}
  - {name: y, kind: slack, url: 'hooks.slack.com/tomato', server: h}
  - {name: z, kind: pagerduty}
  - {name: z, kind: email, server: h, from: x, to: []}
  templates:
    text: '{{.Nope}}'
`, nil)
	got := problems(t, err)
	for _, want := range []string{
		`alerts.mutes[0].hours: "22-4" must be two times of a day, such as 22:00-04:00 (line 12)`,
		`alerts.rules[0].messages: -1 must be at least 0 (line 9)`,
		`alerts.notifiers[0].kind: "pigeon" must be one of alertmanager, email, pagerduty, shoutrrr, slack, webhook (line 14)`,
		`alerts.notifiers[1].server: is no key of the kind slack; its keys are url, tls (line 15)`,
		`alerts.notifiers[2].key: is empty; give the integration key of a service, or a key_file (line 16)`,
		`alerts.notifiers[3].name: "z" is the name of another notifier too (line 17)`,
		`alerts.notifiers[3].server: "h" must be host:port (line 17)`,
		`alerts.rules[0].above: 0s must be at least 1ms and at most 30d: how long is too long for lag (line 4)`,
		`alerts.rules[0].notify[0]: "nobody" is none of the notifiers (line 7)`,
		`alerts.rules[1].subject: "gone" must be one of`,
		`alerts.mode: "loud" must be off, shadow or on (line 2)`,
		`alerts.templates.text: `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	if strings.Contains(got, "tomato") || t.Failed() {
		t.Errorf("got\n%s", got)
	}
}
