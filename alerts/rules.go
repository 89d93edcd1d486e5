package alerts

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"text/template"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
	"github.com/chaperone-audit/chaperone/query"
)

// Rules are a Config, compiled. Make them with New. Not changed afterwards; safe for
// concurrent use.
type Rules struct {
	c             Config
	rules         []*rule
	classes       []class
	mutes         []mute
	summary, text *template.Template
}

type rule struct {
	Rule
	topics []*regexp.Regexp
}

type class struct {
	name   string
	topics []*regexp.Regexp
}

type mute struct {
	Mute
	topics, rules []*regexp.Regexp
}

var (
	ruleName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)
	wholly   = func(p string) (*regexp.Regexp, error) {
		if _, err := regexp.Compile(p); err != nil {
			return nil, fmt.Errorf("%q is not a regular expression: %w", p, err)
		}
		return regexp.MustCompile(`\A(?:` + p + `)\z`), nil
	}
)

// A Problem is one thing that is wrong with a Config.
type Problem struct {
	Key string // path of the value, such as rules[2].subject
	Err error
}

func (p *Problem) Error() string { return p.Key + ": " + p.Err.Error() }
func (p *Problem) Unwrap() error { return p.Err }

// New compiles. Its error joins everything that is wrong, each a *Problem.
func New(c Config) (*Rules, error) {
	r := &Rules{c: c}
	var wrong []error
	add := func(key, format string, args ...any) {
		wrong = append(wrong, &Problem{key, fmt.Errorf(format, args...)})
	}
	patterns := func(key string, list []string) (all []*regexp.Regexp) {
		for i, p := range list {
			re, err := wholly(p)
			if err != nil {
				add(fmt.Sprintf("%s[%d]", key, i), "%w", err)
				continue
			}
			all = append(all, re)
		}
		return all
	}
	for i, x := range c.Classes {
		at := fmt.Sprintf("classes[%d].", i)
		if !ruleName.MatchString(x.Name) {
			add(at+"name", "%q must be up to 64 letters, digits, '.', '_' and '-'", x.Name)
		}
		r.classes = append(r.classes, class{x.Name, patterns(at+"topics", x.Topics)})
	}
	known := r.classNames()
	for i := range c.Rules {
		x := &c.Rules[i]
		at := fmt.Sprintf("rules[%d].", i)
		x.check(&c, known, func(key, format string, args ...any) { add(at+key, format, args...) })
		if slices.ContainsFunc(c.Rules[:i], func(o Rule) bool { return o.Name == x.Name }) {
			add(at+"name", "%q is there twice", x.Name)
		}
		r.rules = append(r.rules, &rule{*x, patterns(at+"topics", x.Topics)})
	}
	for i, x := range c.Mutes {
		at := fmt.Sprintf("mutes[%d].", i)
		x.check(known, func(key, format string, args ...any) { add(at+key, format, args...) })
		r.mutes = append(r.mutes, mute{x, patterns(at+"topics", x.Topics), patterns(at+"rules", x.Rules)})
	}
	if !slices.Contains([]Mode{Off, Shadow, On}, c.Mode) {
		add("mode", "%q must be off, shadow or on", c.Mode)
	}
	for _, d := range []struct {
		key         string
		d           time.Duration
		least, most time.Duration
	}{
		{"span", c.Span, time.Minute, 7 * 24 * time.Hour}, {"wait", c.Wait, 0, time.Hour}, {"update", c.Update, time.Minute, 24 * time.Hour},
	} {
		if d.d < d.least || d.d > d.most {
			add(d.key, "%s must be at least %s and at most %s", d.d, d.least, d.most)
		}
	}
	var err error
	if r.summary, err = compile("summary", c.Summary, defaultSummary); err != nil {
		add("templates.summary", "%w", err)
	}
	if r.text, err = compile("text", c.Text, defaultText); err != nil {
		add("templates.text", "%w", err)
	}
	if len(wrong) > 0 {
		return nil, errors.Join(wrong...)
	}
	return r, nil
}

// classNames are those that there are, Normal always.
func (r *Rules) classNames() []string {
	names := []string{Critical, Normal, Low}
	for _, c := range r.classes {
		names = append(names, c.name)
	}
	return names
}

func (x *Rule) check(c *Config, classes []string, add func(key, format string, args ...any)) {
	if !ruleName.MatchString(x.Name) {
		add("name", "%q must be up to 64 letters, digits, '.', '_' and '-'", x.Name)
	}
	if !slices.Contains(Subjects(), x.Subject) {
		add("subject", "%q must be one of %v", x.Subject, Subjects())
		return
	}
	checkClasses(x.Classes, classes, add)
	if !slices.Contains([]query.Severity{query.Page, query.Ticket, query.Notice}, x.Severity) {
		add("severity", "%q must be page, ticket or notice", x.Severity)
	}
	if !slices.Contains([]Mode{"", Off, Shadow, On}, x.Mode) {
		add("mode", "%q must be off, shadow, on, or empty for that of all rules", x.Mode)
	}
	switch {
	case x.Subject.timed() && (x.Above < time.Millisecond || x.Above > 30*24*time.Hour):
		add("above", "%s must be at least 1ms and at most 30d: how long is too long for %s", x.Above, x.Subject)
	case !x.Subject.timed() && x.Above != 0:
		add("above", "is a time, and %s is a number of messages: give messages or ratio", x.Subject)
	}
	if x.Ratio < 0 || x.Ratio > 1 {
		add("ratio", "%v must be at least 0 and at most 1, or 100%%", x.Ratio)
	}
	if x.Subject.timed() && x.Ratio != 0 {
		add("ratio", "is of messages, and %s is a time: give above", x.Subject)
	}
	for _, d := range []struct {
		key string
		d   time.Duration
	}{{"for", x.For}, {"grace", x.Grace}, {"repeat", x.Repeat}} {
		if d.d < 0 || d.d > 30*24*time.Hour {
			add(d.key, "%s must be at least 0s and at most 30d", d.d)
		}
	}
	if x.Repeat != 0 && x.Repeat < time.Minute {
		add("repeat", "%s must be at least 1m, or 0s for never", x.Repeat)
	}
	for i, n := range x.Notify {
		if !slices.Contains(c.Notifiers, n) {
			add(fmt.Sprintf("notify[%d]", i), "%q is none of the notifiers", n)
		}
	}
	if x.For > c.Span && !x.Subject.standing() {
		add("for", "%s must be at most alerts.span, %s: older windows are not looked at", x.For, c.Span)
	}
}

func checkClasses(list, known []string, add func(key, format string, args ...any)) {
	for i, n := range list {
		if !slices.Contains(known, n) {
			add(fmt.Sprintf("classes[%d]", i), "%q is none of the classes", n)
		}
	}
}

func (m *Mute) check(classes []string, add func(key, format string, args ...any)) {
	if m.Name == "" {
		add("name", "is empty; say what it is for")
	}
	checkClasses(m.Classes, classes, add)
	if !m.From.IsZero() && !m.To.IsZero() && !m.To.After(m.From) {
		add("to", "%s must be after from", m.To.Format(time.RFC3339))
	}
	for _, h := range m.Hours {
		if h < 0 || h > 24*time.Hour {
			add("hours", "%s must be a time of day", h)
		}
	}
}

// ClassOf is the class of a topic, Normal if no pattern matches it: topics that are new
// have one at once.
func (r *Rules) ClassOf(topic string) string {
	for i := range r.classes {
		if matches(r.classes[i].topics, topic) {
			return r.classes[i].name
		}
	}
	return Normal
}

func matches(list []*regexp.Regexp, s string) bool {
	return slices.ContainsFunc(list, func(re *regexp.Regexp) bool { return re.MatchString(s) })
}

// mode of a rule.
func (r *Rules) mode(x *rule) Mode {
	switch {
	case r.c.Mode == Off, x.Mode == Off:
		return Off
	case r.c.Mode == Shadow, x.Mode == Shadow:
		return Shadow // a single rule cannot speak where all are to be silent
	}
	return On
}

// about says whether a rule is about a topic, given its class.
func (x *rule) about(topic, class string) bool {
	return (len(x.Classes) == 0 || slices.Contains(x.Classes, class)) && (len(x.topics) == 0 || matches(x.topics, topic))
}

func (x *rule) aboutTier(tier string) bool {
	return len(x.Tiers) == 0 || slices.Contains(x.Tiers, tier)
}

func (x *rule) aboutReason(reason compare.Reason) bool {
	return (len(x.Reasons) == 0 || slices.Contains(x.Reasons, reason)) && !slices.Contains(x.Except, reason)
}

func (s Subject) standing() bool { return s == Lag || s == Silence || s == Stalled }

// List gives the rules that there are.
func (r *Rules) List() []Rule {
	list := make([]Rule, len(r.rules))
	for i, x := range r.rules {
		list[i] = x.Rule
	}
	return list
}
