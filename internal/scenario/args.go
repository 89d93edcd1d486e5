package scenario

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

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
