package codecs

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Rule says how the event time of some topics is read. Only Topics and Codec
// must be set.
type Rule struct {
	Topics string // regular expression (RE2) that the whole topic name must match
	Codec  string // name in Builders

	// Settings of the codec; what they mean is the builder's affair.
	Fields  []string // that may hold the event time
	AnyCase bool     // let Fields match in any ASCII case
	Unit    string   // of times that are numbers: s, ms, us or ns; empty: see JSON
	Strict  bool     // check the whole message, not only what must be read

	Past, Future time.Duration // Bounds of these topics; zero for the default
}

// A Builder makes the codec that a rule asks for. It reports everything that is
// wrong with the rule, as a [Problem] per key joined by errors.Join.
type Builder func(Rule) (Codec, error)

// Builders are codecs by the name under which rules ask for them.
type Builders map[string]Builder

// Standard is a new set of the codecs of this package. Add your own to it.
func Standard() Builders {
	return Builders{"json": JSON, "record": Record}
}

// A Problem is something wrong with one key of one rule.
type Problem struct {
	Rule int    // index of the rule, or DefaultBounds; set by NewSelector
	Key  string // as in a configuration file: topics, codec, fields, any_case, unit, strict, past, future
	Err  error  // names the value and what is allowed
}

// DefaultBounds stands for the index of the rule where the default bounds are wrong.
const DefaultBounds = -1

func (p *Problem) Error() string {
	if p.Rule == DefaultBounds {
		return fmt.Sprintf("default %s: %v", p.Key, p.Err)
	}
	return fmt.Sprintf("rules[%d].%s: %v", p.Rule, p.Key, p.Err)
}

func (p *Problem) Unwrap() error { return p.Err }

// A Selector chooses the Extractor of a topic. Safe for concurrent use.
type Selector struct {
	rules    []selection
	fallback *Extractor
	known    sync.Map // topic name -> *Extractor
}

type selection struct {
	topics *regexp.Regexp
	x      *Extractor
}

// NewSelector makes a selector of rules, the first that matches a topic being
// the one. Its error joins a *[Problem] for everything that is wrong, in order.
func NewSelector(rules []Rule, builders Builders, defaults Bounds) (*Selector, error) {
	var errs []error
	report := func(rule int, key string, err error) {
		errs = append(errs, &Problem{Rule: rule, Key: key, Err: err})
	}

	checkBounds(defaults, DefaultBounds, report)
	defaults = defaults.or(Bounds{Past: DefaultPast, Future: DefaultFuture})
	s := &Selector{fallback: newExtractor(defaultJSON, false, defaults)}

	for i, r := range rules {
		topics, err := wholeName(r.Topics)
		if err != nil {
			report(i, "topics", err)
		}
		codec, err := builders.build(r)
		for _, err := range parts(err) {
			key := "codec"
			if p, ok := errors.AsType[*Problem](err); ok {
				key, err = p.Key, p.Err
			}
			report(i, key, err)
		}
		bounds := Bounds{Past: r.Past, Future: r.Future}
		checkBounds(bounds, i, report)
		if codec != nil {
			s.rules = append(s.rules, selection{topics, newExtractor(codec, true, bounds.or(defaults))})
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return s, nil
}

// For is the extractor of a topic: that of the first matching rule, or JSON
// that nobody declared where none matches.
func (s *Selector) For(topic string) *Extractor {
	if x, ok := s.known.Load(topic); ok {
		return x.(*Extractor)
	}
	x := s.fallback
	for _, r := range s.rules {
		if r.topics.MatchString(topic) {
			x = r.x
			break
		}
	}
	s.known.Store(topic, x)
	return x
}

func (b Builders) build(r Rule) (Codec, error) {
	build := b[r.Codec]
	if build == nil {
		return nil, fmt.Errorf("%q is not a codec; use %s", r.Codec, strings.Join(slices.Sorted(maps.Keys(b)), " or "))
	}
	c, err := build(r)
	if c == nil && err == nil {
		err = fmt.Errorf("the builder of %q made no codec and gave no reason", r.Codec)
	}
	return c, err
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
