package scenario

import (
	"fmt"
	"slices"
	"strings"
)

// A Script is a scenario as it was written: blocks of commands, each with the
// output that is expected of it.
type Script struct {
	Name   string // of its file, for errors
	blocks []block
	except []exception
}

// A block is the lines up to "----", or to the end of the script.
type block struct {
	text  []string // as written
	lines []line   // the commands in it
	shows bool     // an output follows
}

// divider stands between commands and their output. The output ends with an
// empty line.
const divider = "----"

// An Error is what is wrong with one line of a script, and what would be right.
type Error struct {
	File string
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Parse reads a script. It looks at the form of each line; whether a tier or a
// topic is there is seen when it runs. The error is an *Error.
func Parse(name, text string) (*Script, error) {
	s := &Script{Name: name}
	var b block
	output := false
	for i, t := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		t = strings.TrimRight(t, " \t\r")
		switch {
		case output && t != "":
			continue // what comes of it is held against the whole text
		case output:
			s.blocks = append(s.blocks, b)
			b, output = block{}, false
		case t == divider:
			b.shows, output = true, true
		}
		b.text = append(b.text, t)
		if output {
			continue
		}
		l := line{file: name, at: i + 1}
		if err := l.parse(t); err != nil {
			return nil, err
		}
		if l.verb == "" {
			continue
		}
		if l.verb == verbExcept {
			if err := s.grant(&l); err != nil {
				return nil, err
			}
			continue
		}
		b.lines = append(b.lines, l)
	}
	if output || len(b.text) > 0 {
		s.blocks = append(s.blocks, b)
	}
	return s, nil
}

// text is the script with these outputs, one for each block that shows one.
func (s *Script) text(outputs []string) string {
	var text strings.Builder
	n := 0
	for _, b := range s.blocks {
		for _, t := range b.text {
			text.WriteString(t + "\n")
		}
		if b.shows {
			text.WriteString(outputs[n])
			n++
		}
	}
	return strings.TrimRight(text.String(), "\n") + "\n"
}

// An exception is a property that a scenario does not have, and why.
type exception struct {
	property Property
	reason   string
}

const verbExcept = "except"

// grant notes a line such as "except crash, split: a reason".
func (s *Script) grant(l *line) error {
	names, reason, _ := strings.Cut(l.rest, ":")
	reason = strings.TrimSpace(reason)
	if reason == "" {
		return l.fail("give the reason: %s", usageExcept)
	}
	for _, name := range strings.Split(names, ",") {
		p := Property(strings.TrimSpace(name))
		if !slices.Contains(Properties, p) {
			return l.fail("%q is not a property; there are %s", p, join(Properties))
		}
		if _, twice := s.Excepted(p); twice {
			return l.fail("%s is excepted twice", p)
		}
		s.except = append(s.except, exception{p, reason})
	}
	return nil
}

const usageExcept = "except PROPERTY, PROPERTY: the reason"

// Excepted says whether the scenario is said not to have a property, and why.
func (s *Script) Excepted(p Property) (reason string, yes bool) {
	for _, e := range s.except {
		if e.property == p {
			return e.reason, true
		}
	}
	return "", false
}

func join[S ~string](list []S) string {
	parts := make([]string, len(list))
	for i, s := range list {
		parts[i] = string(s)
	}
	return strings.Join(parts, ", ")
}
