package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/chaperone-audit/chaperone/alerts"
	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// Alerts is about what somebody has to look into, and who is told: see package alerts.
type Alerts struct {
	Mode         string        `yaml:"mode"`
	URL          string        `yaml:"url"`
	Span         time.Duration `yaml:"span"`
	Wait         time.Duration `yaml:"wait"`
	Update       time.Duration `yaml:"update"`
	DefaultRules bool          `yaml:"default_rules"`
	Classes      []AlertClass  `yaml:"classes"`
	Rules        []AlertRule   `yaml:"rules"`
	Mutes        []Mute        `yaml:"mutes"`
	Notifiers    []Notifier    `yaml:"notifiers"`
	Templates    Templates     `yaml:"templates"`
}

// An AlertClass says how important topics are.
type AlertClass struct {
	Name   string   `yaml:"name"`
	Topics []string `yaml:"topics"`
}

// An AlertRule says what is to be found. One that has the name of a default rule takes
// its place.
type AlertRule struct {
	Name     string        `yaml:"name"`
	Subject  string        `yaml:"subject"`
	Classes  []string      `yaml:"classes"`
	Topics   []string      `yaml:"topics"`
	Tiers    []string      `yaml:"tiers"`
	Reasons  []string      `yaml:"reasons"`
	Except   []string      `yaml:"except"`
	Messages int64         `yaml:"messages"`
	Ratio    Share         `yaml:"ratio"`
	Above    time.Duration `yaml:"above"`
	For      time.Duration `yaml:"for"`
	Grace    time.Duration `yaml:"grace"`
	Repeat   time.Duration `yaml:"repeat"`
	Severity string        `yaml:"severity"`
	Notify   []string      `yaml:"notify"`
	Mode     string        `yaml:"mode"`
}

// A Mute keeps notifications back.
type Mute struct {
	Name    string   `yaml:"name"`
	Topics  []string `yaml:"topics"`
	Rules   []string `yaml:"rules"`
	Classes []string `yaml:"classes"`
	From    Moment   `yaml:"from"`
	To      Moment   `yaml:"to"`
	Days    []string `yaml:"days"`
	Hours   string   `yaml:"hours"`
	Zone    string   `yaml:"zone"`
}

// Templates are in what words an alert is said; empty: as package alerts has them.
type Templates struct {
	Summary string `yaml:"summary"`
	Text    string `yaml:"text"`
}

// A Share is a part of a whole, from 0 to 1. It is written so, or as 0.1%.
type Share float64

func parseShare(text string) (Share, error) {
	number, percent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil {
		return 0, fmt.Errorf("%q must be a part such as 0.001 or 0.1%%", text)
	}
	if percent {
		f /= 100
	}
	return Share(f), nil
}

// Alerting is the section as package alerts has it. Its error joins what is wrong in it
// and cannot be said there.
func (c *Config) Alerting() (alerts.Config, error) {
	a := &c.Alerts
	out := alerts.Config{Mode: alerts.Mode(a.Mode), Span: a.Span, Wait: a.Wait, Update: a.Update, Summary: a.Templates.Summary, Text: a.Templates.Text, URL: a.URL}
	for _, x := range a.Classes {
		out.Classes = append(out.Classes, alerts.Class{Name: x.Name, Topics: x.Topics})
	}
	out.Rules = a.defaults()
	for _, r := range a.Rules {
		out.Rules = append(out.Rules, alerts.Rule{Name: r.Name, Subject: alerts.Subject(r.Subject), Classes: r.Classes, Topics: r.Topics, Tiers: r.Tiers,
			Reasons: reasons(r.Reasons), Except: reasons(r.Except), Messages: uint64(max(0, r.Messages)), Ratio: float64(r.Ratio), Above: r.Above, For: r.For,
			Grace: or(r.Grace, alerts.DefaultGrace), Repeat: or(r.Repeat, alerts.DefaultRepeat), Severity: query.Severity(r.Severity), Notify: r.Notify, Mode: alerts.Mode(r.Mode)})
	}
	for _, n := range a.Notifiers {
		out.Notifiers = append(out.Notifiers, n.Name)
	}
	var wrong []error
	for i := range a.Mutes {
		m, err := a.Mutes[i].mute()
		if err != nil {
			wrong = append(wrong, fmt.Errorf("mutes[%d].%w", i, err))
		}
		out.Mutes = append(out.Mutes, m)
	}
	return out, errors.Join(wrong...)
}

// defaults are the default rules that the configuration leaves.
func (a *Alerts) defaults() []alerts.Rule {
	if !a.DefaultRules {
		return nil
	}
	return slices.DeleteFunc(alerts.DefaultRules(), func(d alerts.Rule) bool {
		return slices.ContainsFunc(a.Rules, func(r AlertRule) bool { return r.Name == d.Name })
	})
}

func reasons(list []string) (all []compare.Reason) {
	for _, r := range list {
		all = append(all, compare.Reason(r))
	}
	return all
}

var (
	hours    = regexp.MustCompile(`^(\d\d):(\d\d)-(\d\d):(\d\d)$`)
	weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

func (m *Mute) mute() (out alerts.Mute, err error) {
	out = alerts.Mute{Name: m.Name, Topics: m.Topics, Rules: m.Rules, Classes: m.Classes, Zone: time.UTC}
	if out.From, err = m.From.Time(); err != nil {
		return out, fmt.Errorf("from: %w", err)
	}
	if out.To, err = m.To.Time(); err != nil {
		return out, fmt.Errorf("to: %w", err)
	}
	for i, d := range m.Days {
		day := slices.Index(weekdays, d)
		if day < 0 {
			return out, fmt.Errorf("days[%d]: %q must be one of %s", i, d, strings.Join(weekdays, ", "))
		}
		out.Days = append(out.Days, time.Weekday(day))
	}
	if m.Hours != "" {
		x := hours.FindStringSubmatch(m.Hours)
		if x == nil {
			return out, fmt.Errorf("hours: %q must be two times of a day, such as 22:00-04:00", m.Hours)
		}
		for i := range out.Hours {
			h, _ := strconv.Atoi(x[1+2*i])
			min, _ := strconv.Atoi(x[2+2*i])
			if h > 24 || min > 59 || h == 24 && min > 0 {
				return out, fmt.Errorf("hours: %q must be two times of a day, such as 22:00-04:00", m.Hours)
			}
			out.Hours[i] = time.Duration(h)*time.Hour + time.Duration(min)*time.Minute
		}
	}
	if m.Zone != "" {
		if out.Zone, err = time.LoadLocation(m.Zone); err != nil {
			return out, fmt.Errorf("zone: %q must be a time zone such as Europe/Berlin", m.Zone)
		}
	}
	return out, nil
}

func (c *Config) checkAlerts(p *problems) {
	a := &c.Alerts
	out, err := c.Alerting()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			key, text, _ := strings.Cut(err.Error(), ": ")
			p.add("alerts."+key, "", "%s", text)
		}
	}
	for i, r := range a.Rules {
		if r.Messages < 0 {
			p.add(fmt.Sprintf("alerts.rules[%d].messages", i), "", "%d must be at least 0", r.Messages)
		}
	}
	c.checkNotifiers(p)
	if _, err := alerts.New(out); err != nil {
		for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
			wrong, _ := errors.AsType[*alerts.Problem](err)
			p.add("alerts."+a.ownKey(wrong.Key), "", "%v", wrong.Err)
		}
	}
}

// ownKey is the key of a rule in the configuration, which has no default rules before it.
func (a *Alerts) ownKey(key string) string {
	var i int
	if n, _ := fmt.Sscanf(key, "rules[%d]", &i); n == 0 {
		return key
	}
	_, rest, _ := strings.Cut(key, "]")
	return fmt.Sprintf("rules[%d]%s", i-len(a.defaults()), rest)
}
