package config

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/chaperone-audit/chaperone/compare"
)

// Renamer makes the function that gives the logical name of a topic: what the first
// of the Renames makes of it that matches its name as a whole, else the name as it is.
// It is the name as it is, too, where nothing would be left of it.
func (c *Cluster) Renamer() (func(topic string) string, error) {
	patterns := make([]string, len(c.Renames))
	for i, r := range c.Renames {
		patterns[i] = r.Match
	}
	match, err := compare.WholeNames(patterns)
	if err != nil {
		return nil, err
	}
	return func(topic string) string {
		for i, p := range match {
			groups := p.FindStringSubmatchIndex(topic)
			if groups == nil {
				continue
			}
			if to := p.ExpandString(nil, c.Renames[i].To, topic, groups); len(to) > 0 {
				return string(to)
			}
			return topic
		}
		return topic
	}, nil
}

// reference is how a replacement names a group, in either form.
var reference = regexp.MustCompile(`\$(\w+)|\$\{(\w+)\}`)

// renames checks those of a cluster.
func (p *problems) renames(path string, list []Rename) {
	for i, r := range list {
		key := func(k string) string { return fmt.Sprintf("%s.renames[%d].%s", path, i, k) }
		match, err := regexp.Compile(r.Match)
		switch {
		case r.Match == "":
			p.add(key("match"), "", "is empty; give a pattern, such as (west|east)[.](.+)")
		case err != nil:
			p.add(key("match"), "", "%q is not a regular expression: %v", r.Match, err)
		}
		if r.To == "" {
			p.add(key("to"), "", "is empty; give the name, such as $2 for what the second group has matched")
			continue
		}
		if rest := reference.ReplaceAllString(r.To, ""); rest != "" && !nameChars.MatchString(rest) {
			p.add(key("to"), "", "%q must be letters, digits, '.', '_', '-' and groups such as $1 or ${1}", r.To)
		}
		if err != nil {
			continue
		}
		for _, m := range reference.FindAllStringSubmatch(r.To, -1) {
			group := m[1] + m[2]
			n, err := strconv.Atoi(group)
			if err != nil {
				n = match.SubexpIndex(group)
			}
			if n < 0 || n > match.NumSubexp() {
				p.add(key("to"), "", "%q names the group %q, which match does not have; write ${1} where letters, digits or _ follow", r.To, group)
			}
		}
	}
}
