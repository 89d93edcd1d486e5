package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
