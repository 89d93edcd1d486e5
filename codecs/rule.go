package codecs

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Rule says how the event time of some topics is read. Only Topics and Codecs
// must be set. Which of the settings a codec understands, its Builder says.
type Rule struct {
	Topics string   // regular expression (RE2) that the whole topic name must match
	Codecs []string // names in Builders, asked in order until one finds a time
	// From is the record timestamp from which the rule holds; for older messages, and
	// those without a timestamp, the next rule that matches does. Zero: for all.
	From time.Time

	Fields   []string // that may hold the event time: see Paths
	AnyCase  bool     // let Fields match in any ASCII case
	Headers  []string // that may hold it, the first one that is there
	Unit     string   // of times that are numbers: see Times
	Layouts  []string // of times that are text, besides RFC 3339
	Zone     string   // of layouts that have none
	Strict   bool     // check the whole message, not only what must be read
	Framing  string   // how a message names its schema
	Registry string   // name in Env.Registries
	Schemas  []string // files
	Message  string   // name of the message type in the schema
	Settings []string // key=value, for codecs of your own

	Past, Future time.Duration // Bounds of these topics; zero for the default
}

// set lists the keys of settings that the rule has.
func (r *Rule) set() (keys []string) {
	for _, k := range []struct {
		key string
		set bool
	}{
		{"fields", len(r.Fields) > 0}, {"any_case", r.AnyCase}, {"headers", len(r.Headers) > 0}, {"unit", r.Unit != ""},
		{"layouts", len(r.Layouts) > 0}, {"zone", r.Zone != ""}, {"strict", r.Strict}, {"framing", r.Framing != ""},
		{"registry", r.Registry != ""}, {"schemas", len(r.Schemas) > 0}, {"message", r.Message != ""}, {"settings", len(r.Settings) > 0},
	} {
		if k.set {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// A Builder makes codecs of one kind.
type Builder struct {
	// Keys are the settings that it understands, as in a configuration file: fields,
	// any_case and so on. A rule that sets others is refused.
	Keys []string
	// Build makes the codec that a rule asks for. It reports everything that is wrong
	// with the settings, as a [Problem] per key joined by errors.Join.
	Build func(Rule, *Env) (Codec, error)
}

// Builders are codecs by the name under which rules ask for them.
type Builders map[string]Builder

// Standard is a new set of the codecs of this package. Add your own to it.
func Standard() Builders {
	return Builders{
		"json": jsonBuilder, "header": headerBuilder, "key": keyBuilder, "cloudevents": cloudEventsBuilder,
		"record": recordBuilder, CreateTimeCodec: createTimeBuilder, AppendTimeCodec: appendTimeBuilder,
	}
}

// An Env is what codecs get from the program around them. The zero Env has nothing.
type Env struct {
	Registries map[string]Registry
	// Notice says to an operator, once, what is wrong with what was learnt, such as a
	// schema without the field that was configured; nil to say nothing.
	Notice func(text string)
}

// Say is Notice, if there is somebody to hear it.
func (e *Env) Say(format string, args ...any) {
	if e != nil && e.Notice != nil {
		e.Notice(fmt.Sprintf(format, args...))
	}
}

// A Problem is something wrong with one key of one rule.
type Problem struct {
	Rule int    // index of the rule, or DefaultBounds; set by NewSelector
	Key  string // as in a configuration file: topics, codec, from, fields, any_case, ...
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

// Problems collects what a Builder finds wrong with a rule.
type Problems struct{ list []error }

// Add notes that something is wrong with a key.
func (p *Problems) Add(key, format string, args ...any) {
	p.list = append(p.list, &Problem{Key: key, Err: fmt.Errorf(format, args...)})
}

// Err is what a Builder returns: nil if nothing is wrong.
func (p *Problems) Err() error { return errors.Join(p.list...) }

// names lists them for people.
func (b Builders) names() string { return strings.Join(slices.Sorted(maps.Keys(b)), " or ") }
