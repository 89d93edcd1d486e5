package processors_test

import (
	"testing"

	"github.com/lovoo/goka"

	"github.com/chaperone-audit/chaperone/processors"
)

func TestGraphsAreValidAndTheirTopicsAreOurs(t *testing.T) {
	top := processors.DefaultTopology()
	top.Prefix = "audit-test"
	partitions := map[string]int32{}
	for _, x := range top.Topics() {
		partitions[x.Name] = x.Partitions
		if !top.Own(x.Name) {
			t.Errorf("%s would be audited", x.Name)
		}
	}
	for _, g := range top.Graphs() {
		if err := g.Validate(); err != nil {
			t.Errorf("%s: %v", g.Group(), err)
		}
		edges := append(append(goka.Edges{}, g.InputStreams()...), g.OutputStreams()...)
		if table := g.GroupTable(); table != nil {
			edges = append(edges, table)
			if in := g.InputStreams()[0].Topic(); partitions[in] != partitions[table.Topic()] {
				t.Errorf("%s: %s and %s have %d and %d partitions", g.Group(), in, table.Topic(), partitions[in], partitions[table.Topic()])
			}
		}
		for _, e := range edges {
			if partitions[e.Topic()] == 0 {
				t.Errorf("%s uses %s, which nobody creates", g.Group(), e.Topic())
			}
		}
	}
	if top.Own("orders") || top.Own("audit-testing") {
		t.Error("somebody else's topic is taken for ours")
	}
}
