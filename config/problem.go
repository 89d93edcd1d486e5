package config

import (
	"fmt"
	"strings"
)

// A Problem is one thing that is wrong with one key.
type Problem struct {
	Key   string // path of the value, such as clusters[0].name; empty if the source as a whole is wrong
	Text  string // the value, and what is allowed
	Where string // line 12, environment, flag; empty where it is not known
}

func (p Problem) String() string {
	s := p.Text
	if p.Key != "" {
		s = p.Key + ": " + s
	}
	if p.Where != "" {
		s += " (" + p.Where + ")"
	}
	return s
}

// Invalid is everything that is wrong with a configuration.
type Invalid struct {
	File     string // empty if there is none
	Problems []Problem
}

func (e *Invalid) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d problem", len(e.Problems))
	if len(e.Problems) > 1 {
		b.WriteString("s")
	}
	fmt.Fprintf(&b, " in the configuration")
	if e.File != "" {
		fmt.Fprintf(&b, " (%s)", e.File)
	}
	for _, p := range e.Problems {
		b.WriteString("\n  " + p.String())
	}
	return b.String()
}

// Hint says what to do.
func (e *Invalid) Hint() string {
	return "chaperone check-config --defaults (shows every key and what it means)"
}

// problems gathers.
type problems struct {
	list    []Problem
	origins map[string]string // key -> where its value was set
}

// came remembers where the value of a key was set.
func (p *problems) came(key, where string) {
	if p.origins == nil {
		p.origins = map[string]string{}
	}
	p.origins[key] = where
}

// add notes a problem. Without where it is said to be where the value was set,
// or the section that lacks it.
func (p *problems) add(key, where, format string, args ...any) {
	for part := key; where == "" && part != ""; part = part[:max(0, strings.LastIndexAny(part, ".["))] {
		where = p.origins[part]
	}
	p.list = append(p.list, Problem{Key: key, Text: fmt.Sprintf(format, args...), Where: where})
}
