package codecs

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Selector chooses the Extractor of a topic. Safe for concurrent use.
type Selector struct {
	rules    []selection
	fallback step
	known    sync.Map // topic name -> *Extractor
	made     sync.Map // which rules -> *Extractor
}

type selection struct {
	topics *regexp.Regexp
	step
}

// NewSelector makes a selector of rules. Of those that match a topic the first is
// the one. Rules with the very same pattern follow upon one another in time: of
// these the one that holds from the latest record timestamp decides, and before all
// of them the next rule that matches. The error joins a *[Problem] for everything
// that is wrong, in order.
func NewSelector(rules []Rule, builders Builders, env *Env, defaults Bounds) (*Selector, error) {
	var errs []error
	report := func(rule int, key string, err error) {
		errs = append(errs, &Problem{Rule: rule, Key: key, Err: err})
	}

	checkBounds(defaults, DefaultBounds, report)
	defaults = defaults.or(Bounds{Past: DefaultPast, Future: DefaultFuture})
	s := &Selector{fallback: newStep(defaultJSON, always, false, defaults)}

	for i, r := range rules {
		topics, err := wholeName(r.Topics)
		if err != nil {
			report(i, "topics", err)
		}
		codec, err := builders.build(r, env)
		for _, err := range parts(err) {
			key := "codec"
			if p, ok := errors.AsType[*Problem](err); ok {
				key, err = p.Key, p.Err
			}
			report(i, key, err)
		}
		from := always
		if !r.From.IsZero() {
			if from = r.From.UnixMilli(); from < 0 || !r.From.Equal(time.UnixMilli(from)) {
				report(i, "from", fmt.Errorf("%s must be a time after 1970 in whole milliseconds: it is held against record timestamps", r.From.Format(time.RFC3339Nano)))
			}
		}
		for j, other := range rules[:i] {
			if other.Topics == r.Topics && other.From.Equal(r.From) {
				report(i, "topics", fmt.Errorf("%q is the pattern of rules[%d] too; give one of them a from, or leave it out", r.Topics, j))
				break
			}
		}
		bounds := Bounds{Past: r.Past, Future: r.Future}
		checkBounds(bounds, i, report)
		if codec != nil {
			s.rules = append(s.rules, selection{topics, newStep(codec, from, true, bounds.or(defaults))})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// For is the extractor of a topic: that of the matching rules, or JSON that nobody
// declared where none matches.
func (s *Selector) For(topic string) *Extractor {
	if x, ok := s.known.Load(topic); ok {
		return x.(*Extractor)
	}
	steps, which := s.match(topic)
	x, ok := s.made.Load(which)
	if !ok {
		x, _ = s.made.LoadOrStore(which, newExtractor(append(steps, s.fallback)))
	}
	s.known.Store(topic, x)
	return x.(*Extractor)
}

// match gives the steps of a topic, in the order in which they are asked, and tells
// those of topics that match the same rules to be the same.
func (s *Selector) match(topic string) (steps []step, which string) {
	var seen []string
	for i, r := range s.rules {
		pattern := r.topics.String()
		if slices.Contains(seen, pattern) || !r.topics.MatchString(topic) {
			continue
		}
		seen, which = append(seen, pattern), fmt.Sprintf("%s %d", which, i)
		begin := len(steps)
		for _, same := range s.rules {
			if same.topics.String() == pattern {
				steps = append(steps, same.step)
			}
		}
		slices.SortFunc(steps[begin:], func(a, b step) int { return cmp.Compare(b.from, a.from) })
		if steps[len(steps)-1].from == always {
			break
		}
	}
	return steps, which
}

// build makes the codec of a rule: the one, or a chain of several.
func (b Builders) build(r Rule, env *Env) (Codec, error) {
	var p Problems
	if len(r.Codecs) == 0 {
		p.Add("codec", "is empty; use %s", b.names())
	}
	understood := map[string]bool{}
	seen := map[string]bool{}
	all := true
	var codecs []Codec
	for _, name := range r.Codecs {
		build, ok := b[name]
		if !ok {
			p.Add("codec", "%q is not a codec; use %s", name, b.names())
			all = false
			continue
		}
		if seen[name] {
			p.Add("codec", "%q is there twice", name)
			continue
		}
		seen[name] = true
		for _, k := range build.Keys {
			understood[k] = true
		}
		c, err := build.Build(r, env)
		switch {
		case err != nil:
			for _, err := range parts(err) {
				// Two codecs find the same wrong with what both understand.
				if !slices.ContainsFunc(p.list, func(other error) bool { return other.Error() == err.Error() }) {
					p.list = append(p.list, err)
				}
			}
		case c == nil:
			p.Add("codec", "the builder of %q made no codec and gave no reason", name)
		default:
			codecs = append(codecs, c)
		}
	}
	for _, k := range r.set() {
		if all && len(r.Codecs) > 0 && !understood[k] {
			p.Add(k, "codec %s does not take it; leave it out", strings.Join(r.Codecs, " or "))
		}
	}
	if err := p.Err(); err != nil {
		return nil, err
	}
	return newChain(codecs), nil
}

func wholeName(topics string) (*regexp.Regexp, error) {
	if topics == "" {
		return nil, errors.New("is empty; give a regular expression, .* for all topics")
	}
	// By itself first: "a)|(b" is wrong, whatever it becomes inside a group.
	if _, err := regexp.Compile(topics); err != nil {
		return nil, fmt.Errorf("%q is not a regular expression: %w", topics, err)
	}
	return regexp.Compile(`\A(?:` + topics + `)\z`)
}

func checkBounds(b Bounds, rule int, report func(int, string, error)) {
	check := func(key string, d time.Duration) {
		if d < 0 || d > 0 && d < time.Millisecond {
			report(rule, key, fmt.Errorf("%s must be at least 1ms, or 0 for the default", d))
		}
	}
	check("past", b.Past)
	check("future", b.Future)
}

// parts are the errors that were joined into err.
func parts(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
