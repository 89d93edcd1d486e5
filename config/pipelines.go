package config

import (
	"fmt"
	"slices"
	"time"

	"github.com/chaperone-audit/chaperone/compare"
)

// A Pipeline says which tiers messages pass, and in which order: see compare.Pipeline.
type Pipeline struct {
	Name       string        `yaml:"name"`
	Topics     []string      `yaml:"topics"`
	Tiers      []string      `yaml:"tiers"`
	Bypassed   []string      `yaml:"bypassed"`
	Grace      time.Duration `yaml:"grace"`
	LateWithin time.Duration `yaml:"late_within"`
	GoneAfter  time.Duration `yaml:"gone_after"`
	Expected   []Expected    `yaml:"expected"`
}

// Expected is a difference between two tiers that is known and honest.
type Expected struct {
	Topics  string   `yaml:"topics"`
	From    string   `yaml:"from"`
	To      string   `yaml:"to"`
	Allow   []string `yaml:"allow"`
	Because string   `yaml:"because"`
}

// Plan is what is judged, and how. Where no pipeline is configured and all clusters are
// of one tier, that tier is one by itself.
func (c *Config) Plan() (*compare.Plan, error) {
	var lines []compare.Pipeline
	for _, p := range c.Pipelines {
		line := compare.Pipeline{Name: p.Name, Topics: p.Topics, Tiers: p.Tiers, Bypassed: p.Bypassed,
			Grace: or(p.Grace, compare.DefaultGrace), LateWithin: or(p.LateWithin, compare.DefaultLateWithin), GoneAfter: or(p.GoneAfter, compare.DefaultGoneAfter)}
		if len(line.Topics) == 0 {
			line.Topics = []string{".*"}
		}
		for _, e := range p.Expected {
			x := compare.Expected{Topics: e.Topics, From: e.From, To: e.To, Because: e.Because}
			for _, k := range e.Allow {
				x.Allow = append(x.Allow, compare.Kind(k))
			}
			line.Expected = append(line.Expected, x)
		}
		lines = append(lines, line)
	}
	var clusters []compare.Cluster
	for _, x := range c.Clusters {
		clusters = append(clusters, compare.Cluster{Name: x.Name, Tier: x.Tier, Datacenter: x.Datacenter})
	}
	return compare.NewPlan(lines, clusters)
}

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

func (c *Config) checkPipelines(p *problems) {
	names := map[string]bool{}
	for i, line := range c.Pipelines {
		at := func(key string) string { return fmt.Sprintf("pipelines[%d].%s", i, key) }
		if p.name(at("name"), line.Name) && names[line.Name] {
			p.add(at("name"), "", "%q is there twice", line.Name)
		}
		names[line.Name] = true
		p.patterns(at("topics"), line.Topics)
		if len(line.Tiers) == 0 {
			p.add(at("tiers"), "", "is empty; name the tiers in the order in which messages pass them")
		}
		for k, tier := range line.Tiers {
			if p.name(fmt.Sprintf("%s[%d]", at("tiers"), k), tier) && slices.Index(line.Tiers, tier) < k {
				p.add(fmt.Sprintf("%s[%d]", at("tiers"), k), "", "%q is there twice", tier)
			}
		}
		for k, tier := range line.Bypassed {
			line.hasTier(p, fmt.Sprintf("%s[%d]", at("bypassed"), k), tier)
			if i := slices.Index(line.Tiers, tier); i > 0 {
				p.add(fmt.Sprintf("%s[%d]", at("bypassed"), k), "", "%q is not the first tier: what is lost before a later one would not be found", tier)
			}
		}
		const most = 30 * 24 * time.Hour
		for _, d := range []struct {
			key string
			d   time.Duration
		}{{"grace", line.Grace}, {"late_within", line.LateWithin}, {"gone_after", line.GoneAfter}} {
			if d.d != 0 {
				between(p, at(d.key), d.d, time.Second, most)
			}
		}
		for k, e := range line.Expected {
			e.check(p, fmt.Sprintf("%s[%d].", at("expected"), k), &line)
		}
	}
}

func (line *Pipeline) hasTier(p *problems, key, tier string) {
	if !slices.Contains(line.Tiers, tier) {
		p.add(key, "", "%q is none of the pipeline's tiers", tier)
	}
}

func (e *Expected) check(p *problems, at string, line *Pipeline) {
	p.patterns(at+"topics", []string{e.Topics})
	line.hasTier(p, at+"from", e.From)
	line.hasTier(p, at+"to", e.To)
	if len(e.Allow) == 0 {
		p.add(at+"allow", "", "is empty; list what is expected: missing, altered, duplicated")
	}
	for i, k := range e.Allow {
		p.oneOf(fmt.Sprintf("%sallow[%d]", at, i), k, string(compare.Missing), string(compare.Altered), string(compare.Duplicated))
	}
	if e.Because == "" {
		p.add(at+"because", "", "is empty; say why, for those who will read it in a verdict")
	}
}
