package scenario

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A line is a command with its arguments.
type line struct {
	file    string
	at      int
	verb    string // empty where there is no command
	rest    string // what follows the verb
	words   []string
	options map[string]string
	*command
}

func (l *line) fail(format string, a ...any) *Error {
	return &Error{l.file, l.at, fmt.Sprintf(format, a...)}
}

// parse reads "verb word word name=value", with a comment after "#", and holds
// it against the usage of the command.
func (l *line) parse(text string) error {
	fields := strings.Fields(text)
	if i := slices.IndexFunc(fields, func(f string) bool { return f[0] == '#' }); i >= 0 {
		fields = fields[:i]
	}
	if len(fields) == 0 {
		return nil
	}
	l.verb, l.rest = fields[0], strings.Join(fields[1:], " ")
	if l.verb == verbExcept {
		return nil
	}
	if l.command = commands[l.verb]; l.command == nil {
		return l.fail("there is no command %q; there are %s, %s", l.verb, join(slices.Sorted(maps.Keys(commands))), verbExcept)
	}
	l.options = map[string]string{}
	for _, f := range fields[1:] {
		name, value, isOption := strings.Cut(f, "=")
		if !isOption {
			l.words = append(l.words, f)
			continue
		}
		allowed, known := l.command.options[name]
		switch {
		case !known && len(l.command.options) == 0:
			return l.fail("%q: %s takes no options; write: %s", f, l.verb, l.usage)
		case !known:
			return l.fail("%s has no option %q; write: %s", l.verb, name, l.usage)
		case l.options[name] != "":
			return l.fail("%s is given twice", name)
		case value == "":
			return l.fail("%s has no value; write: %s", name, l.usage)
		case len(allowed) > 0 && !slices.Contains(allowed, value):
			return l.fail("%s=%s: want %s", name, value, strings.Join(allowed, " or "))
		}
		l.options[name] = value
	}
	for i, w := range l.words {
		if i >= len(l.command.words) {
			return l.fail("%q is one word too many; write: %s", w, l.usage)
		}
		if allowed := l.command.words[i]; len(allowed) > 0 && !slices.Contains(allowed, w) {
			return l.fail("%q: want %s; write: %s", w, strings.Join(allowed, " or "), l.usage)
		}
	}
	missing := len(l.words) < l.least
	for _, name := range l.needed {
		missing = missing || l.options[name] == ""
	}
	if missing {
		return l.fail("something is left out; write: %s", l.usage)
	}
	return nil
}

// A command is what a line can say. Its usage is also what the line is held
// against: words in capitals stand for anything, others for themselves, those in
// brackets may be left out, a bar divides what is to be chosen from.
type command struct {
	usage   string
	do      func(*world, *args) error
	words   [][]string          // what each may be; nil for anything
	least   int                 // words that must be there
	options map[string][]string // what the value of each may be; nil for anything
	needed  []string            // options that must be there
}

func (c *command) parseUsage() {
	c.options = map[string][]string{}
	for _, u := range strings.Fields(c.usage)[1:] {
		needed := u[0] != '['
		u = strings.Trim(u, "[]")
		name, values, isOption := strings.Cut(u, "=")
		var allowed []string
		if !isOption {
			values = name
		}
		if strings.Contains(values, "|") && strings.ToLower(values) == values || !isOption && strings.ToLower(values) == values {
			allowed = strings.Split(values, "|")
		}
		switch {
		case isOption:
			c.options[name] = allowed
			if needed {
				c.needed = append(c.needed, name)
			}
		default:
			c.words = append(c.words, allowed)
			if needed {
				c.least++
			}
		}
	}
}

// args are the arguments of a line, read by its command. The first thing wrong
// with one of them is kept.
type args struct {
	*line
	clock int64
	err   error
}

func (a *args) wrong(name, format string, v ...any) {
	if a.err == nil {
		a.err = a.fail("%s=%s: %s", name, a.options[name], fmt.Sprintf(format, v...))
	}
}

func (a *args) has(name string) bool { return a.options[name] != "" }

// word is the i-th word, empty if it was left out.
func (a *args) word(i int) string {
	if i < len(a.words) {
		return a.words[i]
	}
	return ""
}

func (a *args) number(name string, otherwise, least, most int) int {
	text := a.options[name]
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		a.wrong(name, "want a number from %d to %d", least, most)
		return otherwise
	}
	return n
}

// A span is from a first to a last value, both in milliseconds, both included
// but of times.
type span struct{ from, to int64 }

// at is the i-th of n values spread over the span, from its first to its last.
func (s span) at(i, n int) int64 {
	if n < 2 {
		return s.from
	}
	return s.from + int64(float64(s.to-s.from)*float64(i)/float64(n-1))
}

// before is the i-th of n values spread over the span, its end not included.
func (s span) before(i, n int) int64 {
	return s.from + int64(float64(s.to-s.from)*float64(i)/float64(n))
}

// duration reads "90s" or "1d", durations "20ms..2s" too.
func (a *args) duration(name string, otherwise time.Duration) time.Duration {
	text := a.options[name]
	if text == "" {
		return otherwise
	}
	d, err := parseDuration(text)
	if err != nil {
		a.wrong(name, "want a duration such as 500ms, 90s, 15m, 2h or 3d")
		return otherwise
	}
	return d
}

func (a *args) durations(name string) (s span) {
	return a.span(name, "want a duration such as 500ms, 15m or 3d, or two: 20ms..2s", func(text string) (int64, error) {
		d, err := parseDuration(text)
		return d.Milliseconds(), err
	})
}

// times reads "10:00", "10:00..10:10", "now-5m".
func (a *args) times(name string) span {
	if !a.has(name) {
		return span{a.clock, a.clock}
	}
	return a.span(name, timeForms+", or two: 10:00..10:10", func(text string) (int64, error) { return parseTime(text, a.clock) })
}

const timeForms = "want a time such as 10:00, 10:00:30, 2026-03-02T10:00, now or now-5m"

func (a *args) span(name, want string, parse func(string) (int64, error)) (s span) {
	text := a.options[name]
	if text == "" {
		return s
	}
	from, to, two := strings.Cut(text, "..")
	first, err := parse(from)
	last := first
	if err == nil && two {
		last, err = parse(to)
	}
	if err != nil || last < first {
		a.wrong(name, "%s", want)
		return s
	}
	return span{first, last}
}

// midnight begins the day on which scenarios play, Unix milliseconds.
var midnight = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

func parseTime(text string, clock int64) (int64, error) {
	if rest, ok := strings.CutPrefix(text, "now"); ok {
		if rest == "" {
			return clock, nil
		}
		d, err := parseDuration(rest)
		return clock + d.Milliseconds(), err
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return midnight + t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)).Milliseconds(), nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("%q is no time", text)
}

var days = regexp.MustCompile(`^([+-]?)(\d{1,5})d`)

// parseDuration reads what time.ParseDuration reads, and days before it. Longer
// than a century is none.
func parseDuration(text string) (time.Duration, error) {
	const century = 100 * 365 * 24 * time.Hour
	var d time.Duration
	if m := days.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[2]) // five digits fit
		d = time.Duration(n) * 24 * time.Hour
		if text = text[len(m[0]):]; text != "" && d <= century {
			rest, err := time.ParseDuration(text)
			if err != nil || rest < 0 || rest > century {
				return 0, fmt.Errorf("%q is no duration", text)
			}
			d += rest
		}
		if m[1] == "-" {
			d = -d
		}
	} else {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			return 0, err
		}
	}
	if d > century || d < -century {
		return 0, fmt.Errorf("%q is longer than a century", text)
	}
	return d, nil
}
