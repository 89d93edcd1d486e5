package compare

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/zeebo/xxh3"
)

// A Pipeline is what messages pass, in order.
type Pipeline struct {
	Name   string
	Topics []string // patterns that match the whole name of a topic
	Tiers  []string
	// Bypassed are tiers that some messages do not pass: the first one, if any. What the next
	// tier has more is not duplicated. Whether it has all of theirs is known only if no more
	// are there than can be named.
	Bypassed []string
	// Grace is how long after a window ends its messages may be on their way.
	Grace time.Duration
	// LateWithin is how long after a window ends messages are called late, and not
	// missing, where a tier has not come to the window yet.
	LateWithin time.Duration
	// GoneAfter is how long an application instance that fell silent without goodbye may
	// still be counting, and holds windows up.
	GoneAfter time.Duration
	Expected  []Expected
}

// Expected is a difference that is known and honest, such as a filter.
type Expected struct {
	Topics   string // pattern
	From, To string // tiers
	Allow    []Kind // Missing, Altered, Duplicated
	Because  string // for people
}

// Defaults of a Pipeline.
const (
	DefaultGrace      = 2 * time.Minute
	DefaultLateWithin = time.Hour
	DefaultGoneAfter  = 15 * time.Minute
)

// A Cluster is a Kafka cluster of a tier: it has to be counted before the tier is.
type Cluster struct{ Name, Tier, Datacenter string }

// A Plan is everything that the judge is configured with. Make it with NewPlan. Not
// changed afterwards; safe for concurrent use.
type Plan struct {
	pipelines []compiled
	clusters  []Cluster
	digest    string
}

type compiled struct {
	Pipeline
	topics   []*regexp.Regexp
	expected []*regexp.Regexp
}

// NewPlan makes a plan. Of pipelines whose patterns match a topic the first is the one.
func NewPlan(pipelines []Pipeline, clusters []Cluster) (*Plan, error) {
	p := &Plan{clusters: slices.Clone(clusters)}
	for _, line := range pipelines {
		c := compiled{Pipeline: line}
		var err error
		if c.topics, err = WholeNames(line.Topics); err != nil {
			return nil, fmt.Errorf("pipeline %s: topics: %w", line.Name, err)
		}
		for _, e := range line.Expected {
			r, err := WholeNames([]string{e.Topics})
			if err != nil {
				return nil, fmt.Errorf("pipeline %s: expected: %w", line.Name, err)
			}
			c.expected = append(c.expected, r[0])
		}
		p.pipelines = append(p.pipelines, c)
	}
	all, err := json.Marshal([]any{1, pipelines, clusters})
	if err != nil {
		return nil, err // not reached: all of it can be written
	}
	p.digest = fmt.Sprintf("%08x", uint32(xxh3.Hash(all)>>32))
	return p, nil
}

// WholeNames compiles patterns that match the whole name of a topic, and not a part of it.
func WholeNames(patterns []string) ([]*regexp.Regexp, error) {
	list := make([]*regexp.Regexp, len(patterns))
	for i, p := range patterns {
		// By itself first: "a)|(b" is wrong, whatever it becomes inside a group.
		if _, err := regexp.Compile(p); err != nil {
			return nil, fmt.Errorf("%q is not a regular expression: %w", p, err)
		}
		list[i] = regexp.MustCompile(`\A(?:` + p + `)\z`)
	}
	return list, nil
}

// Digest is a short hash of the plan: verdicts under unlike ones may differ.
func (p *Plan) Digest() string { return p.digest }

// For is the pipeline of a topic, as it holds for it: without what is expected of other
// topics. Without one, it is a pipeline of no name and no tiers, whose tiers are not
// compared.
func (p *Plan) For(topic string) *Pipeline {
	for i := range p.pipelines {
		c := &p.pipelines[i]
		if !slices.ContainsFunc(c.topics, func(r *regexp.Regexp) bool { return r.MatchString(topic) }) {
			continue
		}
		line := c.Pipeline
		line.Expected = nil
		for j, e := range c.Expected {
			if c.expected[j].MatchString(topic) {
				line.Expected = append(line.Expected, e)
			}
		}
		return &line
	}
	return &Pipeline{Grace: DefaultGrace, LateWithin: DefaultLateWithin, GoneAfter: DefaultGoneAfter}
}

// Clusters of a tier, in order of configuration.
func (p *Plan) Clusters(tier string) (list []Cluster) {
	for _, c := range p.clusters {
		if c.Tier == tier {
			list = append(list, c)
		}
	}
	return list
}

func (p *Pipeline) bypassed(tier string) bool { return slices.Contains(p.Bypassed, tier) }

// explanation gives the rule that explains a difference.
func (p *Pipeline) explanation(k Kind, from, to string) (because string, ok bool) {
	for _, e := range p.Expected {
		if e.From == from && e.To == to && slices.Contains(e.Allow, k) {
			return e.Because, true
		}
	}
	return "", false
}
