package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A report is what simulations have said, by package.
type report map[string]*said

// said is what the simulation of one package has said, added up.
type said struct {
	sum      counts
	worlds   []string // in order of appearance
	world    map[string]*counts
	mistakes []mistake
}

// counts are named numbers, in order of appearance.
type counts struct {
	names []string
	n     map[string]int
}

// A mistake that was put in on purpose, and found.
type mistake struct{ name, runs, by string }

var (
	started   = regexp.MustCompile(`^\s*=== (?:RUN|NAME)\s+(\S+)`)
	simulated = regexp.MustCompile(`\bsimulated \S+ ((?:\S+ \d+ ?)+)$`)
	aWorld    = regexp.MustCompile(`\bworld "([^"]+)" ((?:\S+ \d+ ?)+)$`)
	foundIt   = regexp.MustCompile(`\bafter (\d+) runs(?:, by ([^:]+))?: `)
)

// read reads what a test has printed with -v.
func (r report) read(pkg, out string) {
	s := r[pkg]
	if s == nil {
		s = &said{world: map[string]*counts{}}
		r[pkg] = s
	}
	test := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if m := started.FindStringSubmatch(line); m != nil {
			test = m[1]
		} else if m := simulated.FindStringSubmatch(line); m != nil {
			s.sum.add(m[1])
		} else if m := aWorld.FindStringSubmatch(line); m != nil {
			if s.world[m[1]] == nil {
				s.world[m[1]] = &counts{}
				s.worlds = append(s.worlds, m[1])
			}
			s.world[m[1]].add(m[2])
		} else if m := foundIt.FindStringSubmatch(line); m != nil {
			_, name, _ := strings.Cut(test, "/")
			s.mistakes = append(s.mistakes, mistake{strings.ReplaceAll(name, "_", " "), m[1], m[2]})
		}
	}
}

// add adds `name number name number ...`.
func (c *counts) add(pairs string) {
	if c.n == nil {
		c.n = map[string]int{}
	}
	f := strings.Fields(pairs)
	for i := 0; i+1 < len(f); i += 2 {
		if !slices.Contains(c.names, f[i]) {
			c.names = append(c.names, f[i])
		}
		n, _ := strconv.Atoi(f[i+1])
		c.n[f[i]] += n
	}
}

func (c *counts) String() string {
	var b strings.Builder
	for _, name := range c.names {
		fmt.Fprintf(&b, " %s %d", name, c.n[name])
	}
	return b.String()
}

// wrong is how many runs were, and one for each package that says nothing.
func (r report) wrong() (n int) {
	for _, s := range simulations {
		if said := r[s.pkg]; said == nil || said.sum.n["seeds"] == 0 {
			n++
		} else {
			n += said.sum.n["wrong"]
		}
	}
	return n
}

// print prints the tables, and then a line for each package.
func (r report) print(w io.Writer) {
	for _, sim := range simulations {
		s := r[sim.pkg]
		if s == nil {
			continue
		}
		if len(s.worlds) > 0 {
			names := s.world[s.worlds[0]].names
			fmt.Fprintf(w, "| %s: kind of world | %s |\n|---|%s\n", sim.pkg, strings.Join(names, " | "), strings.Repeat("---:|", len(names)))
			for _, name := range s.worlds {
				fmt.Fprintf(w, "| %s |", name)
				for _, column := range names {
					fmt.Fprintf(w, " %d |", s.world[name].n[column])
				}
				fmt.Fprintln(w)
			}
			fmt.Fprintln(w)
		}
		if len(s.mistakes) > 0 {
			fmt.Fprintf(w, "| %s: mistake | found after runs | by |\n|---|---:|---|\n", sim.pkg)
			for _, m := range s.mistakes {
				fmt.Fprintf(w, "| %s | %s | %s |\n", m.name, m.runs, m.by)
			}
			fmt.Fprintln(w)
		}
	}
	for _, sim := range simulations {
		if s := r[sim.pkg]; s != nil {
			fmt.Fprintf(w, "simulated %s%s\n", sim.pkg, &s.sum)
		}
	}
}
