package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/all"
)

// Sources are where a configuration comes from, each laid over the one before:
// the defaults, File, Env, Brokers, Set.
type Sources struct {
	File string   // path; empty for none
	Env  []string // as os.Environ gives it
	// Brokers, from a flag, are those of the one audited cluster, and of the audit
	// cluster unless that follows the first cluster anyway.
	Brokers []string
	Set     []string // key=value, from flags
	// Codecs that may be named; nil for those of package all.
	Codecs codecs.Builders
}

// Load makes a configuration and checks it. ignored lists variables of the
// environment that look like ours and are no key: not an error, because others
// set such too (Kubernetes, for a service of the name chaperone). The error is an
// *Invalid, except where the file cannot be read.
func Load(s Sources) (c Config, ignored []string, err error) {
	c = Default()
	p := &problems{}
	if s.File != "" {
		text, err := os.ReadFile(s.File)
		if err != nil {
			return c, nil, fmt.Errorf("read the configuration: %w", err)
		}
		(&decoder{problems: p}).decode("", reflect.ValueOf(&c).Elem(), text)
	}
	ignored = c.overlayEnv(s.Env, p)
	c.overlayBrokers(s.Brokers, p)
	for _, kv := range s.Set {
		c.overlayFlag(kv, p)
	}
	if s.Codecs == nil {
		s.Codecs = all.Builders()
	}
	c.check(p, s.Codecs)
	if len(p.list) > 0 {
		return c, ignored, &Invalid{File: s.File, Problems: p.list}
	}
	return c, ignored, nil
}

const envPrefix = "CHAPERONE_"

func (c *Config) overlayEnv(env []string, p *problems) (ignored []string) {
	// In order, so that a list as a whole goes before its elements.
	for _, kv := range slices.Sorted(slices.Values(env)) {
		name, value, _ := strings.Cut(kv, "=")
		rest, ours := strings.CutPrefix(name, envPrefix)
		if !ours {
			continue
		}
		path, ok := envPath(reflect.ValueOf(c).Elem(), rest)
		if !ok {
			ignored = append(ignored, name)
			continue
		}
		c.set(path, value, "environment "+name, p)
	}
	return ignored
}

// envPath finds the key that a variable names. Keys hold underscores themselves,
// so every key is tried.
func envPath(v reflect.Value, name string) (path []string, ok bool) {
	if isList(v) {
		index, rest, _ := strings.Cut(name, "_")
		if _, err := strconv.Atoi(index); err != nil || rest == "" {
			return nil, false
		}
		sub, ok := envPath(reflect.Zero(v.Type().Elem()), rest)
		return append([]string{index}, sub...), ok
	}
	if v.Kind() != reflect.Struct {
		return nil, false
	}
	for _, f := range fieldsOf(v.Type()) {
		upper := strings.ToUpper(f.key)
		if name == upper && v.FieldByIndex(f.index).Kind() != reflect.Struct {
			return []string{f.key}, true
		}
		if rest, ok := strings.CutPrefix(name, upper+"_"); ok {
			if sub, ok := envPath(v.FieldByIndex(f.index), rest); ok {
				return append([]string{f.key}, sub...), true
			}
		}
	}
	return nil, false
}

func (c *Config) overlayBrokers(brokers []string, p *problems) {
	switch {
	case len(brokers) == 0:
		return
	case len(c.Clusters) != 1:
		p.add("clusters", "flag", "--brokers sets those of one cluster, but there are %d; use --set clusters[0].brokers=... for the first", len(c.Clusters))
		return
	}
	c.Clusters[0].Brokers = brokers
	p.came("clusters[0].brokers", "flag")
	if len(c.Audit.Brokers) > 0 {
		c.Audit.Brokers = brokers
	}
}

var indexed = regexp.MustCompile(`\[(\d+)\]`)

func (c *Config) overlayFlag(kv string, p *problems) {
	key, value, ok := strings.Cut(kv, "=")
	if !ok {
		p.add("", "flag", "%q must be key=value, such as windows.size=1m", kv)
		return
	}
	c.set(strings.Split(indexed.ReplaceAllString(key, ".$1"), "."), value, "flag", p)
}

// set gives the value at a path its text. Lists of strings are separated by
// commas or, like lists of sections, YAML.
func (c *Config) set(path []string, text, where string, p *problems) {
	v := reflect.ValueOf(c).Elem()
	key := ""
	for _, part := range path {
		switch {
		case isList(v):
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i > v.Len() {
				p.add(key, where, "there are %d; %q is none of them, nor the next", v.Len(), part)
				return
			}
			if i == v.Len() {
				v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
			}
			v, key = v.Index(i), fmt.Sprintf("%s[%d]", key, i)
		case v.Kind() == reflect.Struct:
			f, ok := fieldNamed(v, part)
			if !ok {
				p.add(join(key, part), where, "is no key; known are %s", keysOf(v.Type()))
				return
			}
			v, key = f, join(key, part)
		default:
			p.add(join(key, part), where, "is no key; %s is a value", key)
			return
		}
	}
	p.came(key, where)
	switch {
	case v.Kind() == reflect.Struct:
		p.add(key, where, "is a section; set one of its keys: %s", keysOf(v.Type()))
	case v.Kind() == reflect.Slice && (isList(v) || strings.HasPrefix(strings.TrimSpace(text), "[")):
		(&decoder{problems: p, where: where}).decode(key, v, []byte(text))
	case v.Kind() == reflect.Slice:
		list := reflect.MakeSlice(v.Type(), 0, 4)
		for _, s := range commaSeparated(text) {
			list = reflect.Append(list, reflect.ValueOf(s).Convert(v.Type().Elem()))
		}
		if list.Len() == 0 {
			list = reflect.Zero(v.Type())
		}
		v.Set(list)
	default:
		if err := setScalar(v, text); err != nil {
			p.add(key, where, "%v", err)
		}
	}
}

func commaSeparated(text string) (list []string) {
	for s := range strings.SplitSeq(text, ",") {
		if s = strings.TrimSpace(s); s != "" {
			list = append(list, s)
		}
	}
	return list
}
